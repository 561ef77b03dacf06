"""Writes .env beside compose.yaml: new secrets, and the home that Airflow works on.

    python3 deploy/airflow/make_env.py HOME

An .env that is there already stays as it is, as Airflow's database is bound to its secrets.
"""

import base64
import os
import secrets
import sys
from pathlib import Path

ENV = Path(__file__).parent / ".env"
IMAGE_USER = 50000  # whom Airflow's image runs as; taken where root makes the file


def settings(home: Path, uid: int) -> dict[str, str]:
    """What compose.yaml asks for; each secret is made anew."""
    return {
        "MMRL_HOME": str(home),
        "AIRFLOW_UID": str(uid or IMAGE_USER),
        "ADMIN_PASSWORD": secrets.token_urlsafe(12),
        "POSTGRES_PASSWORD": secrets.token_urlsafe(24),
        "FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "API_SECRET": secrets.token_urlsafe(32),
        "JWT_SECRET": secrets.token_urlsafe(64),  # signs by HS512, whose keys have 64 bytes
    }


def main(arguments: list[str], env: Path = ENV) -> int:
    if len(arguments) != 1:
        sys.stderr.write("Say which home Airflow is to work on: make_env.py HOME\n")
        return 2
    home = Path(arguments[0]).expanduser().resolve()
    home.mkdir(parents=True, exist_ok=True)  # else the engine makes it, as root
    try:
        file = os.open(env, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.stderr.write(f"{env} is there already and was not changed.\n")
        return 1
    with os.fdopen(file, "w", encoding="utf-8") as out:
        out.writelines(f"{name}={said}\n" for name, said in settings(home, os.getuid()).items())
    sys.stdout.write(f"Wrote {env}: user admin, password in ADMIN_PASSWORD.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
