#!/bin/sh
# Installs what the tests of the browser app need: Chromium and Firefox, if apt-get is available to root, and axe-core, if
# npm is available. Tests skip if one of them is missing. Usage: install_test_browser.sh ENVIRONMENT
has() {
    [ -n "$(command -v "$1")" ]
}
install() {
    has apt-get && [ "$(id -u)" = 0 ] && { timeout 300 apt-get update && DEBIAN_FRONTEND=noninteractive timeout 600 \
        apt-get install -y --no-install-recommends "$1"; } >/dev/null 2>&1
}
# The shell without windows takes two thirds of the time that the whole browser takes.
has chromium-headless-shell || install chromium-headless-shell || has chromium || install chromium ||
    echo "Chromium could not be installed"
has firefox-esr || install firefox-esr || echo "Firefox could not be installed"
if [ -n "$(command -v npm)" ] && [ ! -e "$1/node_modules/axe-core" ]; then
    timeout 120 npm install --silent --no-audit --no-fund --no-save --prefix "$1" axe-core >/dev/null 2>&1 ||
        echo "axe-core could not be installed"
fi
exit 0
