"""Encoders: texts and images in, vectors and captions out.

`profiles.load_profile` gives the set a project works with; `protocols` says what each one promises.
"""
