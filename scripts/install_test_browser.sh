#!/bin/sh
# Installs what the tests of the browser app need: Chromium, if apt-get is available to root, and axe-core, if npm is
# available. Tests skip if one of them is missing. Usage: install_test_browser.sh ENVIRONMENT
if [ -z "$(command -v chromium)" ] && [ -n "$(command -v apt-get)" ] && [ "$(id -u)" = 0 ]; then
    { timeout 300 apt-get update && DEBIAN_FRONTEND=noninteractive timeout 600 apt-get install -y \
        --no-install-recommends chromium; } >/dev/null 2>&1 || echo "chromium could not be installed"
fi
if [ -n "$(command -v npm)" ] && [ ! -e "$1/node_modules/axe-core" ]; then
    timeout 120 npm install --silent --no-audit --no-fund --no-save --prefix "$1" axe-core >/dev/null 2>&1 ||
        echo "axe-core could not be installed"
fi
exit 0
