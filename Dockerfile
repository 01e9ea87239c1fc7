# The command line in a container: no network, no privileges, and no files but those of the folder that is given to it.
#
#     docker build --tag trabecular-qsm .
#     docker run --rm --network none --read-only --tmpfs /tmp --user "$(id -u):$(id -g)" --volume "$PWD:/data" \
#         trabecular-qsm reconstruct bids maps
#
# NOT YET BUILT: its commands were run in a virtual environment. The digest of the base image belongs behind its tag
# (docker buildx imagetools inspect), and dependabot keeps it there.
FROM python:3.12.12-slim-bookworm AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE.txt ./
COPY TrabecularQSMLib TrabecularQSMLib
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12.12-slim-bookworm
COPY --from=wheel /wheels /wheels
RUN python -m pip install --no-cache-dir "$(echo /wheels/*.whl)[cli,mat73,dicom,report,stats,batch]" \
    && rm -r /wheels \
    && useradd --create-home --uid 1000 user
# Where matplotlib keeps its fonts, for users without a home.
ENV MPLBACKEND=Agg MPLCONFIGDIR=/tmp/matplotlib PYTHONDONTWRITEBYTECODE=1
USER 1000
WORKDIR /data
ENTRYPOINT ["trabecular-qsm"]
CMD ["--help"]
