#!/bin/sh
# Serves a directory from a microVM, for the browser of this host.
#
# usage: web_server.sh DIRECTORY PORT
set -eu
directory=$1
port=$2

id=$(pyro workspace create debian:12-build --seed-path "$directory" --ttl-seconds 3600 --id-only)
pyro workspace service start "$id" web --ready-http http://127.0.0.1:8000/ --ready-timeout-seconds 120 \
    --publish "$port:8000" -- python3 -m http.server 8000
echo "http://127.0.0.1:$port/ until: pyro workspace delete $id"
