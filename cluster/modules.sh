# The modules that reformer is built and run with, as an example: names differ from cluster to cluster (module avail,
# or module spider). Source it before building and in batch files:  . cluster/modules.sh
# shellcheck shell=bash
module purge
module load gcc/12 cmake openmpi/4.1 hdf5/1.12-mpi openblas

# What clusters seldom have: libyaml, jansson, xxHash, cmocka. From a Spack environment (cluster/spack.yaml), or built
# into a folder of yours; either way pkg-config must find them.
export PKG_CONFIG_PATH=$HOME/reformer-libs/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export LD_LIBRARY_PATH=$HOME/reformer-libs/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

# What this cluster wants said once, launch/run.sh leaves as it is. For example the network that ranks talk over:
#   export OMPI_MCA_btl_tcp_if_include=10.1.0.0/16 OMPI_MCA_oob_tcp_if_include=10.1.0.0/16
# and for the mpirun of Open MPI 5:
#   export PRTE_MCA_prte_if_include=10.1.0.0/16
