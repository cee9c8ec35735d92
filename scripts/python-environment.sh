#!/usr/bin/env bash
# Makes the project's Python environment in .venv, for the notebooks and (with "bench") the benchmarks'
# peers. Does nothing where it is there already with the same requirements. Two stand alone: "feast" makes
# .venv/feast, since that peer wants other versions of what the rest stands on; "spark" makes .venv-spark,
# for Apache Spark.
#
#   scripts/python-environment.sh [bench | feast | spark]
#
# PYTHON names another interpreter than python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python="${PYTHON:-python3}"
environment=.venv

fail() {
  echo "python-environment: $1" >&2
  exit 1
}

case "${1:-}" in
  "" | bench) ;;
  feast) environment=.venv/feast ;;
  spark) environment=.venv-spark ;;
  *) fail "expected nothing, \"bench\", \"feast\" or \"spark\", got \"$1\"" ;;
esac

checksum() {
  "$environment/bin/python" -c 'import hashlib, sys; print(sys.version.split()[0], hashlib.sha256(b"".join(open(file, "rb").read() for file in sys.argv[1:])).hexdigest())' "$@"
}

# The stamp is written last: an interrupted installation has none and is done again.
install() {
  local name="$1" sum
  shift
  local stamp="$environment/$name.stamp"
  sum="$(checksum "$@")"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; then
    return
  fi
  echo "python-environment: installing $* into $environment" >&2
  local arguments=()
  for file in "$@"; do arguments+=(-r "$file"); done
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "${arguments[@]}" ||
    fail "pip could not install $*"
  echo "$sum" > "$stamp"
}

if ! "$environment/bin/python" -m pip --version > /dev/null 2>&1; then
  command -v "$python" > /dev/null || fail "there is no $python: install Python 3.11 or later, or say where it is with PYTHON"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "expected Python 3.11 or later, got $("$python" --version 2>&1)"
  "$python" -m venv --clear "$environment" ||
    fail "$python can't make an environment: install its venv module (on Debian and Ubuntu the package python3-venv)"
fi

if [ "${1:-}" = feast ]; then
  install feast bench/peers/feast-requirements.txt
  exit
fi
if [ "${1:-}" = spark ]; then
  install spark test/spark-requirements.txt
  exit
fi
install notebooks notebooks/requirements.txt
if [ "${1:-}" = bench ]; then
  [ -f bench/peers/requirements.txt ] || fail "there is no bench/peers/requirements.txt"
  # Both together: one environment, so versions that contradict each other are an error here.
  install bench notebooks/requirements.txt bench/peers/requirements.txt
fi
