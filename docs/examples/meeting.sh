#!/bin/sh
# A whole meeting from a shell. It waits for files, and for no time: each step begins when the one before is done.
set -eu
dir=$(mktemp -d)
trap 'kill $server $ada 2>/dev/null || true; rm -rf "$dir"' EXIT
server= ada=

# until_line FILE PATTERN: wait until a line of the file matches, for at most a minute
until_line() {
    tries=600
    while ! grep -qs -- "$2" "$1"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { echo "$1 has no line with $2" >&2; exit 1; }
        sleep 0.1
    done
}

snug-server --listen 127.0.0.1:0 > "$dir/server" &
server=$!
until_line "$dir/server" '^listening on '
url=$(sed -n 's/^listening on //p' "$dir/server")

snug host --server "$url" --name Ada --admit all --json --link-file "$dir/link" < /dev/null > "$dir/ada" &
ada=$!
until_line "$dir/link" .

{
    cat "$dir/link"
    until_line "$dir/ready" .
    echo '{"chat": "hello"}'
    until_line "$dir/ada" '"event": "chat"'
    echo '{"leave": true}'
} | snug join - --name Bo --json --ready-file "$dir/ready" > "$dir/bo"

grep '"event": "chat"' "$dir/ada"
tail -n 1 "$dir/bo"
kill "$ada"
wait "$ada"
