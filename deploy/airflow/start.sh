#!/usr/bin/env bash
# Airflow with mmrl's DAGs on one machine, on loopback; `make airflow` calls it.
# env.sh says what may be set.
set -euo pipefail
source "$(dirname "$0")/env.sh"
export project

if [[ $MMRL_HOME != *://* && ! -d $MMRL_HOME/catalog ]]; then
    echo "There is no home at $MMRL_HOME: make one with \`.venv/bin/mmrl init $MMRL_HOME\`," \
        "or name yours with MMRL_HOME." >&2
    exit 2
fi
log=$AIRFLOW_HOME/logs/airflow.log
mkdir -p "$AIRFLOW_HOME/logs"
served=$AIRFLOW_HOME/mmrl-home
if [[ -s $served && $(<"$served") != "$MMRL_HOME" ]]; then
    echo "The history in $AIRFLOW_HOME is of $(<"$served"): its runs and dates would pass for those of" \
        "$MMRL_HOME. Give each home an AIRFLOW_HOME of its own, or remove $served if the home" \
        "was moved." >&2
    exit 2
fi
echo "$MMRL_HOME" >"$served"
echo "Setting up Airflow's database ..."
if ! { airflow db migrate && airflow pools import "$project/deploy/airflow/pools.json"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "Airflow could not be set up; all it said is in $log." >&2
    exit 1
fi
passwords=$AIRFLOW_HOME/simple_auth_manager_passwords.json.generated
if [ ! -s "$passwords" ]; then
    (umask 077 && python -c 'import json, secrets
print(json.dumps({"admin": secrets.token_urlsafe(12)}))' >"$passwords")
fi

tell_when_ready() {
    until python -c "import urllib.request as r; r.urlopen('http://127.0.0.1:$AIRFLOW_PORT/api/v2/monitor/health')" 2>/dev/null; do
        if ! kill -0 $$ 2>/dev/null; then
            tail -n 20 "$log" >&2
            echo "Airflow ended; all it said is in $log." >&2
            exit
        fi
        sleep 1
    done
    echo "Unpause mmrl_daily (and mmrl_collect, mmrl_observe, mmrl_purge) there: $AIRFLOW__API__BASE_URL"
    echo "Ctrl-C ends it. What it says of itself goes to $log."
    python -c "import json; print('user admin, password', json.load(open('$passwords'))['admin'])"
}
echo "Starting (half a minute) ..."
tell_when_ready &
exec honcho --procfile "$project/deploy/airflow/Procfile" --app-root "$AIRFLOW_HOME" start \
    --no-prefix >>"$log" 2>&1
