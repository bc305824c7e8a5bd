#!/bin/bash
# Train a project on a SLURM cluster; the job is requeued and goes on when its time is over.
#
#   sbatch templates/slurm/train.sh made paper
#   sbatch templates/slurm/train.sh vae mnist --seed 1
#
# Submit it from the root of the repository, after `make install` or the like has made .venv and
# `dgm data fetch NAME` has brought the data (compute nodes often have no network). Watch it with
# `squeue --me` and `tail -f slurm-<job id>.out`; end it with `scancel <job id>`.

# One line for each thing the cluster should give. `sinfo` lists its partitions; your site's pages
# say which partition and account are yours.
#SBATCH --job-name=dgm
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1          # processes: one for each GPU. For 2 GPUs write 2 here ...
#SBATCH --gpus-per-node=1            # ... and 2 here; nothing else changes. Without a GPU: delete.
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=04:00:00              # a short limit starts earlier; the job requeues itself
#SBATCH --requeue                    # preempted jobs go back into the queue as well
#SBATCH --signal=TERM@120            # two minutes before the end, ask the run to save and stop
#SBATCH --open-mode=append           # one log, whatever the number of attempts

set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: sbatch templates/slurm/train.sh PROJECT PRESET [more arguments of dgm train]" >&2
    exit 2
fi
project=$1 preset=$2
shift 2

source .venv/bin/activate
export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK
accelerator=cpu
if [ -n "${SLURM_GPUS_ON_NODE:-}" ]; then
    accelerator=gpu
fi

# `srun` starts one process for each task, and each runs the same command. --resume starts where
# there is no checkpoint yet, continues where there is one, and ends at once where all is done: so
# the command is the same for every attempt. The data set, the batch size and the loss curve do not
# depend on the number of processes, since the batch size is that of all of them together.
status=0
srun --kill-on-bad-exit=1 dgm train "$project" --preset "$preset" --resume \
    --devices "$SLURM_NTASKS_PER_NODE" --accelerator "$accelerator" "$@" || status=$?

# A run that is told to stop finishes its step, writes its checkpoint and exits with 143. Any other
# status is a real end: 0 is done, and an error would only come back.
if [ "$status" -eq 143 ]; then
    echo "out of time: requeueing job $SLURM_JOB_ID" >&2
    scontrol requeue "$SLURM_JOB_ID"
    exit 0
fi
exit "$status"
