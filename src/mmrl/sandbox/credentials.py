"""Credentials that the sandbox accepts, for PRAW too; nothing here is a secret."""

from typing import Any

CLIENT_ID, CLIENT_SECRET = "sandbox-client-id", "sandbox-client-secret"
USERNAME, PASSWORD = "sandbox", "sandbox-password"


def praw_settings(url: str) -> dict[str, Any]:
    """Arguments of `praw.Reddit` for a sandbox at this address."""
    return {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "username": USERNAME,
        "password": PASSWORD,
        "user_agent": "python:mmrl-sandbox:v1 (simulated)",
        "reddit_url": url,
        "oauth_url": url,
        "check_for_updates": False,
    }
