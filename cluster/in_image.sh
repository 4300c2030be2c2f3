#!/usr/bin/env bash
# reformer out of the image that cluster/reformer.def makes: REFORMER_IMAGE=reformer.sif cluster/in_image.sh train CONFIG
# mpirun and srun start it like the program itself; the folder that it is started in is seen inside. --help is this;
# the program's is: cluster/in_image.sh help
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
case "${1-}" in -h | --help) sed -n '1d; /^#/!q; s/^# \{0,1\}//p' "$0" && exit ;; esac
exec apptainer exec --bind "$PWD" --pwd "$PWD" "${REFORMER_IMAGE:?names the image: reformer.sif}" reformer "$@"
