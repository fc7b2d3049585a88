#!/usr/bin/env bash
# A simulated night, reduced to merged spectra. Usage: demo.sh DIRECTORY
set -euo pipefail
here=${1:-demo}
rm -rf "$here"
mkdir -p "$here/reduced"
source_directory=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
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
    pyesorex --output-dir=reduced "$recipe" --plots "$sof"
}

reduce soxs_mbias bias.sof BIAS_VIS:9
reduce soxs_mdark dark.sof DARK_NIR:9
for arm in VIS NIR; do
    low=$(echo "$arm" | tr '[:upper:]' '[:lower:]')
    master="MASTER_BIAS_VIS:1"
    [ "$arm" = VIS ] || master="MASTER_DARK_NIR:1"
    solution="DISP_TAB_2D_$arm:1"
    orders="ORDER_TAB_EDGES_$arm:1"
    reduce soxs_disp_solution "arc_$low.sof" "PINHOLE_ARC_$arm:1" PINHOLE_ARC_OFF_"$arm":1 MASTER_BIAS_"$arm":1
    reduce soxs_order_centres "centres_$low.sof" "PINHOLE_FLAT_$arm:1" PINHOLE_FLAT_OFF_"$arm":1 MASTER_BIAS_"$arm":1 "DISP_TAB_$arm:1"
    # The first three flats are those through the slit of the science frames.
    reduce soxs_spec_mflat "flat_$low.sof" "FLAT_$arm:3" FLAT_OFF_"$arm":3 MASTER_BIAS_"$arm":1 "ORDER_TAB_$arm:1"
    reduce soxs_spatial_solution "spatial_$low.sof" "MULTI_PINHOLE_ARC_$arm:1" MULTI_PINHOLE_ARC_OFF_"$arm":1 MASTER_BIAS_"$arm":1 "DISP_TAB_$arm:1"
    for role in FLUX SCI; do
        raw=OBJECT_NOD_$arm
        [ "$role" = SCI ] || raw=STD_FLUX_NOD_$arm
        name=$(echo "$role" | tr '[:upper:]' '[:lower:]')_$low.sof
        reduce soxs_nod "nod_$name" "$raw:99" "$solution" "$orders" "MASTER_FLAT_$arm:1" "$master"
        reduce soxs_extract "extract_$name" "${role}_SKY_SUB_$arm:99" "${role}_SKY_MODEL_$arm:99" "$solution" "$orders" "BLAZE_TAB_$arm:1"
    done
    reduce soxs_response "response_$low.sof" "FLUX_SPECTRUM_ORDERS_$arm:1"
    reduce soxs_telluric "telluric_$low.sof" "SCI_SPECTRUM_ORDERS_$arm:1" "FLUX_SPECTRUM_ORDERS_$arm:1"
done
echo
echo "== pyesorex soxs_merge merge.sof"
soxs classify reduced/*.fits 2>/dev/null | grep -E ' (SCI_SPECTRUM_ORDERS|RESP_TAB|TELLURIC_TAB)_(VIS|NIR)$' > merge.sof
pyesorex --output-dir=reduced soxs_merge --plots merge.sof

echo
echo "== the merged spectrum against the truth of the simulation"
python "$source_directory/truth_picture.py" . truth.png
soxs phase3 check reduced/sci_slit_flux_merged*.fits

echo
echo "Products:"
ls -1 "$PWD"/reduced/*.fits
echo
echo "Quality-control pages:  $PWD/reduced/*.png"
echo "The merged spectrum:    $(ls "$PWD"/reduced/sci_slit_flux_merged*.fits)"
echo "Its comparison:         $PWD/truth.png"
