#!/usr/bin/env bash
# A simulated night, reduced as far as the recipes go. Usage: demo.sh DIRECTORY
set -euo pipefail
here=${1:-demo}
rm -rf "$here"
mkdir -p "$here/reduced"
cd "$here"

echo "== 10 raw bias frames of the UV-VIS arm, 3 darks of the near-infrared arm"
soxs simulate bias raw --arm VIS --frames 10 --seed 1
soxs simulate dark raw --arm NIR --frames 3 --exptime 10 --seed 2

echo "== sets of frames"
soxs classify raw/*.fits > all.sof
grep ' BIAS_VIS$' all.sof > bias.sof
grep ' DARK_NIR$' all.sof > dark.sof

echo "== pyesorex soxs_mbias bias.sof"
pyesorex --output-dir=reduced soxs_mbias bias.sof
echo "== pyesorex soxs_mdark dark.sof"
pyesorex --output-dir=reduced soxs_mdark dark.sof

echo
echo "Products:"
ls -1 "$PWD"/reduced/*.fits
