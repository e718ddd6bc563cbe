# vitcli in a container. Build: docker build --tag vitcli .
# Run, with your images in this folder, where runs/ is written too and belongs to you; --ipc host, because the processes
# that decode images hand them over in shared memory, of which Docker gives 64 MB:
#   docker run --rm --ipc host --user "$(id -u):$(id -g)" --volume "$PWD:/data" vitcli fit --data.root photos
# On a GPU, add --gpus all.
FROM python:3.11-slim

# --model.compile true needs a compiler
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*

# uv by pip and in whatever version, as in the Makefile; what it installs is locked
# hadolint ignore=DL3013
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore uv

# The dependencies have a layer of their own, so that a change of vitcli leaves their gigabytes alone; most of these are
# CUDA, which Linux's torch brings along. As constraints the locks give versions and hashes; the one of development holds
# what builds the wheel. The cost: uv checks the hash of what has one, rather than insists that all have one.
WORKDIR /source
COPY pyproject.toml requirements.lock requirements-dev.lock ./
RUN uv pip install --system --no-cache --compile-bytecode --only-binary :all: --constraints requirements.lock \
    --requirements pyproject.toml

COPY . .
RUN uv pip install --system --no-cache --compile-bytecode --no-deps --build-constraints requirements-dev.lock .

# A user of --user has neither name nor home: caches go to this one, which all may write.
RUN useradd --create-home --uid 1000 vitcli \
    && chmod 1777 /home/vitcli \
    && install --directory --owner vitcli --group vitcli /data
ENV HOME=/home/vitcli USER=vitcli
USER 1000
WORKDIR /data

# docker stop is then Ctrl-C, which saves the run; the first process of a container would ignore SIGTERM
STOPSIGNAL SIGINT
ENTRYPOINT ["vitcli"]
