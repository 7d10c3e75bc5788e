#!/bin/sh
# embed.sh TEMPLATE...: C source of a table of the templates, each as one string literal, a source line a line.
set -eu
echo '#include "template.h"'
echo 'const struct embedded_template embedded_templates[] = {'
for file; do
	printf '\t{ "%s",\n' "${file##*/}"
	sed -e 's/[\\"]/\\&/g' -e 's/^/\t  "/' -e 's/$/\\n"/' "$file"
	printf '\t},\n'
done
echo '	{ 0, 0 },'
echo '};'
