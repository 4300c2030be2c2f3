#!/usr/bin/env bash
# Where launch/run.sh puts ranks and threads, on machines that lscpu, ssh and Slurm's commands pretend. PROGRAM SOURCE_DIR
set -u
program=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1
mkdir bin
export PATH=$work/bin:$PATH
unset OMP_NUM_THREADS OMP_WAIT_POLICY OMPI_MCA_plm_rsh_agent PRTE_MCA_plm_ssh_agent SLURM_JOB_ID
export OMPI_ALLOW_RUN_AS_ROOT=1

fake() { # fake NAME LINE...: a command of these lines
  local name=$1
  shift
  printf '%s\n' '#!/bin/sh' "$@" >"bin/$name"
  chmod +x "bin/$name"
}
# machine CORES DOMAINS: what run.sh asks of any host. Two hardware threads a core.
machine() {
  fake lscpu "echo '# CPU,Core,Node'; i=0; while [ \$i -lt $((2 * $1)) ]; do echo \$i,\$((i % $1)),\$((i % $1 * $2 / $1)); i=\$((i + 1)); done"
  fake grep "case \"\$*\" in *Cpus_allowed_list*) echo 'Cpus_allowed_list:	0-$((2 * $1 - 1))' ;; *) exec /usr/bin/env PATH=/usr/bin:/bin grep \"\$@\" ;; esac"
}
fake mpirun '[ "$1" != --version ] || echo "mpirun (Open MPI) 4.1.4"'
# The login shell of the hosts is csh where there is one, or else as strict about what stands in quotes.
cat >bin/ssh <<'SH'
#!/bin/sh
while [ "$1" = -o ]; do shift 2; done
case $1 in dead*) exit 255 ;; esac
shift
command -v csh >/dev/null && exec csh -fc "$*"
case $* in *\\* | *!* | *'
'*) echo "Unmatched '." >&2 && exit 1 ;; esac
exec sh -c "$*"
SH
chmod +x bin/ssh

# places STATUS TEXT... -- OPTION...: the command that run.sh would start with these options has every TEXT.
PROGRAM=$work/places
fake_run() { printf '%s\n' '#!/bin/sh' "exec '$source_dir/launch/run.sh' --program '$program' --dry-run \"\$@\" -- train c.yaml --run r" >"$PROGRAM"; }
fake_run && chmod +x "$PROGRAM"

machine 8 1
check 0 "OMP_NUM_THREADS=8 mpirun --host localhost:1 -n 1 --map-by slot:PE=8 --bind-to core" "--run r --resume auto" --
check 0 "OMP_NUM_THREADS=2 mpirun --host localhost:4 -n 4 --map-by slot:PE=2" -- --ranks 4
check 0 "OMP_NUM_THREADS=3 mpirun --host localhost:2 -n 2" -- --threads 3
check 0 "warning: found 4 threads a rank, but localhost has 8 cores for 3 ranks: taking 2" "OMP_NUM_THREADS=2" -- --ranks 3 --threads 4
check 0 "warning: localhost has 8 cores for 9 ranks" "OMP_NUM_THREADS=1" "-n 9 --map-by slot --bind-to none" -- --ranks 9
check 0 "-n 4 --map-by slot --bind-to none" -- --ranks 4 --bind none
machine 24 2
check 0 "OMP_NUM_THREADS=12 mpirun --host localhost:2 -n 2 --map-by slot:PE=12" --
check 0 "warning: ranks of 8 threads cross the border" "of 12 cores each" -- --ranks 3
check 0 "OMP_NUM_THREADS=12 mpirun --host a:2,b:2 -n 4" "-x OMP_NUM_THREADS -x OMP_PLACES" -- --hosts a,b
check 0 "OMP_NUM_THREADS=12 mpirun --host a:2,b:1 -n 3" -- --hosts a,b --ranks 3
check 0 "OMP_NUM_THREADS=6 mpirun --host a:4,b:1 -n 5" -- --hosts a:4,b:1
check 0 "mpirun --host a:4,b:1 -n 5" -- --hosts a:4,b:1 --ranks 5
check 2 "--ranks: found 6; allowed: at most 5, the slots of the hosts" -- --hosts a:4,b:1 --ranks 6
printf '# two\na slots=2\nb   slots=1 # small\n' >hosts
check 0 "mpirun --host a:2,b:1 -n 3" -- --hosts hosts
# As editors of other systems write it, and as mpirun and MPICH read it.
printf '\xef\xbb\xbf# two\r\n\r\na slots=2\r\n\tb\tslots = 1 # small\r\n \r\nc:3' >hosts
check 0 "mpirun --host a:2,b:1,c:3 -n 6" -- --hosts hosts
printf 'a\r\nb' >hosts
check 0 "mpirun --host a:2,b:2 -n 4" -- --hosts hosts
check 0 "mpirun --host a:2,b:2 -n 4" -- --hosts $'a, b\r\n'
check 0 "mpirun --host a:3,b:1 -n 4" -- --hosts a,b:1,a:2 # named twice, cores are not given twice
printf 'a\n' | iconv -t UTF-16 >hosts
check 2 "hosts: zero bytes in it" -- --hosts hosts
printf '# none\r\n' >hosts
check 2 "no host in 'hosts'" -- --hosts hosts
printf 'a b c;d\n$(id)\n' >hosts
check 2 "found '\$(id)'; allowed: a file, or names" -- --hosts hosts
rm hosts
check 1 "these do not answer in 10 s: dead1 dead2" -- --hosts a,dead1,dead2
check 2 "--hosts: found 'a;b'" -- --hosts 'a;b'
check 2 "--ranks: found '0'; allowed: a whole number of at least 1" -- --ranks 0
check 2 "--launcher srun: there is no Slurm allocation here" -- --launcher srun
check 2 "unknown option --rank" -- --rank 2
check 2 "--threads: found '--'" -- --threads

# A quota of processor time is what it is worth in cores; without lscpu each processor counts as a core.
fake cat 'case "$*" in */cpu.max) echo "250000 100000"; exit ;; esac' 'exec /bin/cat "$@"'
check 0 "OMP_NUM_THREADS=1 mpirun --host localhost:2 -n 2" --
check 0 "OMP_NUM_THREADS=1 mpirun --host a:2,b:2 -n 4" -- --hosts a,b
fake cat 'case "$*" in */cpu.max) echo "50000 100000"; exit ;; esac' 'exec /bin/cat "$@"'
check 0 "OMP_NUM_THREADS=1 mpirun --host localhost:1 -n 1" --
fake cat 'case "$*" in */cpu.max) echo "max 100000"; exit ;; esac' 'exec /bin/cat "$@"'
fake paste 'echo "400000 100000"' # the first version of control groups
check 0 "OMP_NUM_THREADS=2 mpirun --host localhost:2 -n 2" --
rm bin/cat bin/paste
mv bin/lscpu .
fake lscpu 'exit 127'
check 0 "OMP_NUM_THREADS=48 mpirun --host localhost:1 -n 1" --
mv lscpu bin

# In an allocation: three nodes, two of 16 processors and one of 8, two of them hardware threads of a core each.
fake scontrol 'case "$*" in "show hostnames"*) printf "n1\nn2\nn3\n" ;; "show node"*) echo " ThreadsPerCore=2" ;; esac'
fake srun 'echo "MPI plugin types are... pmix"'
export SLURM_JOB_ID=7 SLURM_JOB_NODELIST='n[1-3]' SLURM_JOB_CPUS_PER_NODE='16(x2),8' SLURM_TASKS_PER_NODE='2(x2),1' SLURM_NTASKS=5
check 0 "OMP_NUM_THREADS=4 srun --nodes=3 --ntasks=5 --cpus-per-task=8 --nodelist=n1,n2,n3" "--kill-on-bad-exit=1" "--mpi=pmix" --
SLURM_JOB_NODELIST='' check 2 "and SLURM_JOB_NODELIST is not set; start in one, or: unset SLURM_JOB_ID" --
SLURM_CPUS_PER_TASK=4 check 0 "OMP_NUM_THREADS=2 srun --nodes=3 --ntasks=5 --cpus-per-task=4" --
check 0 "mpirun --host n1:2,n2:2,n3:1 -n 5 --map-by slot:PE=4" -- --launcher mpirun
SLURM_NTASKS='' check 0 "OMP_NUM_THREADS=4 srun --nodes=3 --ntasks=3 --cpus-per-task=8" --
fake srun 'echo "MPI plugin types are... pmi2"'
check 0 "mpirun --host n1:2,n2:2,n3:1" --

# The same shell after the job's end. The last task of an array has the array's number, by which Slurm names all of them.
fake srun 'echo "MPI plugin types are... pmix"'
job_says() { # job_says TEXT: what scontrol says of the job
  fake scontrol "case \"\$*\" in *'show job'*) printf '%s\n' '$1' >&2; [ -z '${1##*JobId*}' ] ;; 'show hostnames'*) printf 'n1\nn2\nn3\n' ;; esac"
}
own='JobId=7 ArrayJobId=7 ArrayTaskId=3 JobName=x UserId=u(1) JobState=RUNNING Reason=None Dependency=(null)'
sibling='JobId=8 ArrayJobId=7 ArrayTaskId=1 JobName=x UserId=u(1) JobState=COMPLETED Reason=None Dependency=(null)'
for said in 'slurm_load_jobs error: Invalid job id specified' "${own/RUNNING/TIMEOUT}" "${own/RUNNING/OUT_OF_MEMORY}" \
  "${sibling/COMPLETED/RUNNING}"$'\n'"${own/RUNNING/FAILED}" "$sibling"; do
  job_says "$said"
  check 0 "the Slurm job 7, which this shell is of, is over" "mpirun --host localhost:2 -n 2" --
done
for said in "$own" "$own"$'\n'"$sibling" "$sibling"$'\n'"$own" "${own/RUNNING/COMPLETING}" "${sibling/=8 /=77 }"$'\n'"$own" \
  'slurm_load_jobs error: Unable to contact slurm controller (connect failure)'; do
  job_says "$said"
  check 0 "srun --nodes=3 --ntasks=5 --cpus" --
done
# A controller that does not answer is not waited for.
job_says "${own/RUNNING/FAILED}"
fake timeout 'case "$*" in *"show job"*) exit 124 ;; esac' 'exec /usr/bin/env PATH=/usr/bin:/bin timeout "$@"'
check 0 "srun --nodes=3 --ntasks=5 --cpus" --
rm bin/timeout

# What a run goes on with where fewer ranks are left: ROOM SEQUENCE GROUPS BATCH ACCUMULATE -> RANKS SEQUENCE
. "$source_dir/launch/places.sh"
mesh() {
  checks=$((checks + 1))
  [ "$(choose_mesh "${@:2}")" = "$1" ] && return
  failures=$((failures + 1))
  echo "FAILED: choose_mesh ${*:2}: found '$(choose_mesh "${@:2}")', wanted '$1'"
}
mesh "4 4" 4 4 1 1 1
mesh "3 3" 3 4 1 1 1
mesh "5 5" 5 3 2 4 1
mesh "4 2" 4 3 2 4 1
mesh "4 4" 4 3 2 3 1
mesh "4 2" 4 3 2 8 4
mesh "6 2" 6 2 4 12 1
mesh "2 1" 3 1 4 8 1
mesh "1 1" 3 1 4 8 8
mesh "1 1" 1 8 2 2 1
finish
