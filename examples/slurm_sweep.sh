#!/bin/bash
# A sweep on the machines of a Slurm job, through Ray:
#
#     sbatch --nodes 4 --exclusive examples/slurm_sweep.sh padding --preset standard
#
# All arguments are those of `erlangen run`. Submit it again to resume. The directory in which you submit it, the home directory and
# $ERLANGEN_DATA must be shared by all machines, as they are on most clusters.
#SBATCH --job-name=erlangen
#SBATCH --ntasks-per-node=1
set -euo pipefail
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
RAY_AUTH_TOKEN=$(python3 -c 'import secrets; print(secrets.token_hex(32))')  # for this job alone
export RAY_AUTH_TOKEN

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=$((20000 + SLURM_JOB_ID % 20000))
cores=${SLURM_CPUS_ON_NODE:-$(nproc)}

# --block keeps a step alive as long as its part of the cluster, which Slurm ends with the job.
srun --nodes=1 --ntasks=1 --overlap --nodelist="$head" \
  ray start --head --port "$port" --num-cpus "$cores" --include-dashboard=false --block &
timeout 180 bash -c "until ray status --address $head:$port > /dev/null 2>&1; do sleep 2; done"
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
  srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --overlap --exclude="$head" \
    ray start --address "$head:$port" --num-cpus "$cores" --block &
fi

erlangen run "$@" --executor ray --address "$head:$port"  # this script runs on the first machine, the head; others join as they come
