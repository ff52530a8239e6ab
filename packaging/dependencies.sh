#!/usr/bin/env bash
# Installs what building and testing Millrace needs, from Debian 12's packages. Does nothing when all of it is there.
#   packaging/dependencies.sh [build|test|bench]     default: build
set -euo pipefail

build=(clang-19 lld-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev cmake ninja-build ccache pkg-config
  liburing-dev libjemalloc-dev libhwloc-dev libnuma-dev libboost-dev libfmt-dev libspdlog-dev
  libcli11-dev nlohmann-json3-dev libzstd-dev liblz4-dev libsnappy-dev zlib1g-dev libssl-dev
  librdkafka-dev libgtest-dev libgmock-dev libbenchmark-dev librapidcheck-dev libisal-dev libre2-dev)
test=(kcat libfuse3-dev fuse3 libseccomp-dev python3 python3-pip maven default-jdk-headless nodejs npm xfsprogs)
bench=(python3-matplotlib)

wanted=("${build[@]}")
case "${1:-build}" in
  build) ;;
  test) wanted+=("${test[@]}") ;;
  bench) wanted+=("${test[@]}" "${bench[@]}") ;;
  *) echo "usage: $0 [build|test|bench]" >&2; exit 2 ;;
esac

missing=()
for package in "${wanted[@]}"; do
  # A tool that is there without its package (a JDK or Node.js of one's own) is as good.
  case "$package" in
    maven) command -v mvn >/dev/null && continue ;;
    default-jdk-headless) command -v javac >/dev/null && continue ;;
    nodejs) command -v node >/dev/null && continue ;;
    npm) command -v npm >/dev/null && continue ;;
    python3) command -v python3 >/dev/null && continue ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 && continue ;;
  esac
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0

echo "installing: ${missing[*]}"
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || {
  $sudo apt-get update -q >/dev/null
  $sudo apt-get install -y -q --no-install-recommends "${missing[@]}"
}
