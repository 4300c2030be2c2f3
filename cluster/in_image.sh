#!/usr/bin/env bash
# reformer out of the image that cluster/reformer.def makes: REFORMER_IMAGE=reformer.sif cluster/in_image.sh train CONFIG
# mpirun and srun start it like the program itself; the folder that it is started in is seen inside.
exec apptainer exec --bind "$PWD" --pwd "$PWD" "${REFORMER_IMAGE:?names the image: reformer.sif}" reformer "$@"
