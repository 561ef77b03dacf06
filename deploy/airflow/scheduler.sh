#!/usr/bin/env bash
# Airflow's scheduler, started again when it fails. On SQLite it reads a backfill's runs before
# they are written for good, and ends with an error where they are taken back and written again.
stopped=
trap 'stopped=yes' INT TERM
while true; do
    began=$SECONDS code=0
    airflow scheduler --skip-serve-logs || code=$?
    # What fails at once would fail again.
    if [ "$stopped" ] || [ "$code" = 0 ] || ((SECONDS - began < 20)); then
        exit "$code"
    fi
    echo "The scheduler failed ($code) and is started again."
done
