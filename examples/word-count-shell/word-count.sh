#!/bin/sh
# Counts the lines, words and bytes of the request's body. As CGI wants it, the request is in the
# environment and on standard input; the answer is headers, an empty line and a body.
set -eu

if [ "$REQUEST_METHOD" != POST ]; then
    printf 'Status: 405 Method Not Allowed\r\nAllow: POST\r\nContent-Type: text/plain\r\n\r\n'
    echo "POST a text, such as: curl --data-binary @README.md ..."
    exit
fi

counts=$(wc)
# Unquoted on purpose: the shell splits the three numbers.
set -- $counts

printf 'Content-Type: application/json\r\n\r\n'
printf '{"lines": %s, "words": %s, "bytes": %s}\n' "$1" "$2" "$3"
