#!/usr/bin/env bash
# Trains on all GPUs of one machine, or of several: there, give the same command on each.
#
#   deploy/torchrun.sh fit --config folder --config trainer/multi_node --data.root DIR --run.name NAME --run.resume auto
#   MACHINES=2 FIRST=gpu1:29400 deploy/torchrun.sh fit ...                           on gpu1 and on gpu2
#   MACHINES=1:2 FIRST=gpu1:29400 deploy/torchrun.sh fit ... --data.global_batch 256  goes on with one if one is lost
#
# The folder of runs has to be one that all machines share (--run.dir). Variables, all optional:
#   MACHINES   how many, or the fewest and the most (1)
#   FIRST      name and port of the machine where all meet, which may not be lost; needed where there are several
#   RANKS      processes of this machine: gpu, cpu or a number (gpu)
#   RESTARTS   how often all are started again after one has died (10)
#   JOB        a name of its own for each job that meets at the same port (vitcli)
#   ADDRESS    of this machine, where the others cannot resolve its name
#   CARD       network card between the machines, such as eth0, where there are several: for gloo and NCCL
set -euo pipefail

machines=${MACHINES:-1}
words=(--nproc-per-node "${RANKS:-gpu}" --max-restarts "${RESTARTS:-10}")
if [ "$machines" = 1 ]; then
    words+=(--standalone)
else
    : "${FIRST:?name the machine where all meet, with a port: FIRST=gpu1:29400}"
    words+=(--nnodes "$machines" --rdzv-backend c10d --rdzv-endpoint "$FIRST" --rdzv-id "${JOB:-vitcli}")
    # a machine that is lost is noticed after half a minute, and those that are left begin after as long
    words+=(--rdzv-conf "join_timeout=600,last_call_timeout=30")
fi
if [ -n "${ADDRESS:-}" ]; then
    words+=(--local-addr "$ADDRESS")
fi
if [ -n "${CARD:-}" ]; then
    export GLOO_SOCKET_IFNAME=$CARD NCCL_SOCKET_IFNAME=$CARD
fi
# each start meets at a port of its own, on whichever machine rank 0 then is (torch 2.15 keeps the first one's)
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
# seconds to save in, after SIGTERM
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-120}

exec torchrun "${words[@]}" --no-python vitcli "$@"
