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

# reduce RECIPE SOF TAG[:COUNT]...: frames of these tags, raw or reduced, go into SOF and through RECIPE.
reduce() {
    local recipe=$1 sof=$2 item
    shift 2
    soxs classify reduced/*.fits > products.sof 2>/dev/null || true
    for item in "$@"; do
        cat all.sof products.sof | grep " ${item%:*}\$" | head -n "${item#*:}" || true
    done > "$sof"
    echo
    echo "== pyesorex $recipe $sof"
    pyesorex --output-dir=reduced "$recipe" "$sof"
}

reduce soxs_mbias bias.sof BIAS_VIS:9
reduce soxs_mdark dark.sof DARK_NIR:9
reduce soxs_order_centres centres_vis.sof PINHOLE_FLAT_VIS:1 MASTER_BIAS_VIS:1
reduce soxs_order_centres centres_nir.sof PINHOLE_FLAT_NIR:1 PINHOLE_FLAT_OFF_NIR:1
# The first three flats are those through the slit of the science frames.
reduce soxs_spec_mflat flat_vis.sof FLAT_VIS:3 MASTER_BIAS_VIS:1 ORDER_TAB_VIS:1
reduce soxs_spec_mflat flat_nir.sof FLAT_NIR:3 FLAT_OFF_NIR:3 ORDER_TAB_NIR:1

echo
echo "Products:"
ls -1 "$PWD"/reduced/*.fits
