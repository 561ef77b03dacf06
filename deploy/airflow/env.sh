# Airflow's settings on one machine, for its command line; start.sh reads them, too.
#   source deploy/airflow/env.sh [MMRL_HOME]
#   MMRL_HOME     the home that the DAGs work on
#   AIRFLOW_HOME  Airflow's own folder: settings, database, logs
#   AIRFLOW_PORT  of the web page
# Any AIRFLOW__SECTION__KEY that is set already is kept, such as that of another database.
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export PATH="$project/.venv-airflow/bin:$PATH"
MMRL_HOME=${1:-${MMRL_HOME:-$project/mmrl-home}}
case $MMRL_HOME in *://*) ;; *) MMRL_HOME=$(realpath -m "$MMRL_HOME") ;; esac
AIRFLOW_HOME=$(realpath -m "${AIRFLOW_HOME:-$project/airflow-home}")
: "${AIRFLOW_PORT:=8080}"
: "${AIRFLOW__API__BASE_URL:=http://127.0.0.1:$AIRFLOW_PORT}"
: "${AIRFLOW__CORE__DAGS_FOLDER:=$project/dags}"
: "${AIRFLOW__CORE__EXECUTOR:=LocalExecutor}"
: "${AIRFLOW__CORE__LOAD_EXAMPLES:=False}"
: "${AIRFLOW__CORE__PARALLELISM:=4}"
: "${AIRFLOW__CORE__PLUGINS_FOLDER:=$project/plugins}"
: "${AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL:=60}"
export MMRL_HOME AIRFLOW_HOME AIRFLOW_PORT "${!AIRFLOW__@}"
