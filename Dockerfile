# MediDesk's images, one target each: store, assistant, gateway, admin, and all for one container.
#
#   docker build --target all --tag medidesk-all .
#
# Small and without build tools: Debian with the libraries that the programs load, which its package list names (for SBOMs).
ARG DEBIAN=debian:bookworm-slim

FROM ${DEBIAN} AS build
WORKDIR /src
COPY deploy/debian-packages.txt deploy/debian-packages.txt
COPY deploy/image deploy/image
RUN deploy/image/install-build-packages
COPY . .
RUN deploy/image/build /out

FROM ${DEBIAN} AS base
COPY deploy/image/install-runtime /usr/local/sbin/install-runtime
RUN groupadd --gid 10001 medidesk && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin medidesk

FROM base AS store
COPY --from=build /out/store /opt/medidesk
RUN install-runtime /opt/medidesk
USER 10001:10001
EXPOSE 7003 9103
CMD ["medidesk-store"]

FROM base AS assistant
COPY --from=build /out/assistant /opt/medidesk
RUN install-runtime /opt/medidesk
USER 10001:10001
EXPOSE 7002 9102
CMD ["medidesk-assistant"]

FROM base AS gateway
COPY --from=build /out/gateway /opt/medidesk
RUN install-runtime /opt/medidesk
USER 10001:10001
EXPOSE 7001 9101
CMD ["medidesk-gateway"]

FROM base AS admin
COPY --from=build /out/admin /opt/medidesk
RUN install-runtime /opt/medidesk
USER 10001:10001
EXPOSE 8080
CMD ["medidesk-admin"]

FROM base AS all
COPY --from=build /out/all /opt/medidesk
RUN install-runtime /opt/medidesk
USER 10001:10001
EXPOSE 8080
CMD ["medidesk-all"]
