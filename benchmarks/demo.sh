#!/usr/bin/env bash
# A simulated night, reduced as far as the recipes go. Usage: demo.sh DIRECTORY
set -euo pipefail
here=${1:-demo}
rm -rf "$here"
mkdir -p "$here/reduced"
cd "$here"

echo "== a small night of raw frames of both arms, with truth in raw/truth"
soxs simulate night raw --small --seed 1 | tail -1
soxs classify raw/SOXS.*.fits > all.sof
sed 's/.* //' all.sof | sort | uniq -c

# reduce RECIPE SOF TAG...: the frames of these tags, raw or reduced, go into SOF and through RECIPE.
reduce() {
    local recipe=$1 sof=$2 tag
    shift 2
    soxs classify reduced/*.fits > products.sof 2>/dev/null || true
    for tag in "$@"; do grep -h " $tag\$" all.sof products.sof || true; done > "$sof"
    echo
    echo "== pyesorex $recipe $sof"
    pyesorex --output-dir=reduced "$recipe" "$sof"
}

reduce soxs_mbias bias.sof BIAS_VIS
reduce soxs_mdark dark.sof DARK_NIR

echo
echo "Products:"
ls -1 "$PWD"/reduced/*.fits
