#!/usr/bin/env bash
# Makes, once, the Python environment of the peers (PyTorch, Transformers and what they need) outside the tree and
# prints the path of its python on standard output; what it installs it says on standard error.
#
#   python=$(bench/env.sh)          about 6 GB and some minutes the first time, nothing afterwards
#
# GRADUS_PEERS: where it lies, or an environment that is there already (default ~/.cache/gradus/peers).
set -euo pipefail

folder=${GRADUS_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/gradus/peers}
torch=2.15.0
others=(transformers==5.23.0 tokenizers==0.23.3 safetensors==0.8.0 numpy==2.4.6
    scikit-learn==1.9.1 sacrebleu==2.6.0 pycocotools==2.0.11 rouge-score==0.1.2 jiwer==4.0.0 # for tests/interop/metrics.py
    pandas==3.1.1                                                                 # for bench csv
    pillow==13.0.0)                                                               # for peers/cifar_resnet8.py
packages=(python3 python3-venv python3-dev g++) # the last two are what torch.compile compiles with

say() { printf 'bench/env.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

complete() { # are all packages there, whatever their version?
    [ -x "$folder/bin/python" ] && "$folder/bin/python" - torch "${others[@]%%=*}" 2> /dev/null <<'PYTHON'
import importlib.metadata, sys
for name in sys.argv[1:]:
    importlib.metadata.version(name)
PYTHON
}

quietly() { # COMMAND...: its output shows only when it fails
    local log
    log=$(mktemp)
    "$@" > "$log" 2>&1 || { tail -n 20 "$log" >&2; rm -f "$log"; return 1; }
    rm -f "$log"
}

install_packages() {
    local package missing=() as_root=()
    command -v apt-get > /dev/null || return 0
    for package in "${packages[@]}"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2> /dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} != 0 ] || return 0
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    say "installing packages: ${missing[*]}"
    quietly "${as_root[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update || say "apt-get update failed; going on"
    quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}" ||
        die "cannot install ${missing[*]}"
}

install_python() {
    local pip=("$folder/bin/python" -m pip install -q --disable-pip-version-check)
    [ -x "$folder/bin/python" ] || quietly python3 -m venv "$folder" || die "cannot make '$folder'"
    say "installing into $folder: torch $torch ${others[*]}"
    # The CPU build is a tenth of the size, but not every index has it.
    quietly "${pip[@]}" "torch==$torch+cpu" "${others[@]}" 2> /dev/null ||
        quietly "${pip[@]}" "torch==$torch" "${others[@]}" || die "pip failed"
}

mkdir -p "$folder"
exec 9> "$folder/.lock"
flock 9
install_packages >&2
complete || install_python >&2
complete || die "'$folder' lacks packages after the installation; remove it and try again"
echo "$folder/bin/python"
