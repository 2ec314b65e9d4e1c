#!/bin/sh
# embed.sh DIRECTORY: the templates, messages, style and script there, as C on stdout.

set -eu

cd "$1"

echo '#include "mpk_pages_data.h"'
echo

n=0

for file in *.mustache *.css *.js *.json; do
    n=$((n + 1))

    printf 'static const unsigned char  mpk_page_%d[] = {\n' $n
    od -An -v -tx1 "$file" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
    printf '};\n\n'
done

printf 'const mpk_pages_data_t  mpk_pages_data[] = {\n'

n=0

for file in *.mustache *.css *.js *.json; do
    n=$((n + 1))

    printf '    { "%s", mpk_page_%d, sizeof(mpk_page_%d) },\n' "$file" $n $n
done

printf '    { NULL, NULL, 0 }\n};\n'
