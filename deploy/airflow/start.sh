#!/usr/bin/env bash
# Airflow with mmrl's DAGs on one machine, on loopback; `make airflow` calls it.
#   MMRL_HOME     the home that the DAGs work on
#   AIRFLOW_HOME  Airflow's own folder: settings, database, logs
#   AIRFLOW_PORT  of the web page
# Any AIRFLOW__SECTION__KEY that is set already is kept, such as that of another database.
set -euo pipefail
project=$(cd "$(dirname "$0")/../.." && pwd)
export PATH="$project/.venv-airflow/bin:$PATH"
MMRL_HOME=${MMRL_HOME:-$project/mmrl-home}
export AIRFLOW_HOME=$(realpath -m "${AIRFLOW_HOME:-$project/airflow-home}")
export AIRFLOW_PORT=${AIRFLOW_PORT:-8080}
address=http://127.0.0.1:$AIRFLOW_PORT

: "${AIRFLOW__API__BASE_URL:=$address}"
: "${AIRFLOW__CORE__DAGS_FOLDER:=$project/dags}"
: "${AIRFLOW__CORE__EXECUTOR:=LocalExecutor}"
: "${AIRFLOW__CORE__LOAD_EXAMPLES:=False}"
: "${AIRFLOW__CORE__PARALLELISM:=4}"
: "${AIRFLOW__CORE__PLUGINS_FOLDER:=$project/plugins}"
: "${AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL:=60}"
export "${!AIRFLOW__@}"

case $MMRL_HOME in *://*) ;; *) MMRL_HOME=$(realpath -m "$MMRL_HOME") ;; esac
export MMRL_HOME
if [[ $MMRL_HOME != *://* && ! -d $MMRL_HOME/catalog ]]; then
    echo "There is no home at $MMRL_HOME: make one with \`.venv/bin/mmrl init $MMRL_HOME\`," \
        "or name yours with MMRL_HOME." >&2
    exit 2
fi
log=$AIRFLOW_HOME/logs/airflow.log
mkdir -p "$AIRFLOW_HOME/logs"
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
    until python -c "import urllib.request as r; r.urlopen('$address/api/v2/monitor/health')" 2>/dev/null; do
        if ! kill -0 $$ 2>/dev/null; then
            tail -n 20 "$log" >&2
            echo "Airflow ended; all it said is in $log." >&2
            exit
        fi
        sleep 1
    done
    echo "Unpause mmrl_daily (and mmrl_collect, mmrl_observe, mmrl_purge) there: $address"
    echo "Ctrl-C ends it. What it says of itself goes to $log."
    python -c "import json; print('user admin, password', json.load(open('$passwords'))['admin'])"
}
echo "Starting (half a minute) ..."
tell_when_ready &
exec honcho --procfile "$project/deploy/airflow/Procfile" --app-root "$AIRFLOW_HOME" start \
    --no-prefix >>"$log" 2>&1
