"""Learners: the network, boosted trees and kernel ridge regression, each fitted by itself."""
