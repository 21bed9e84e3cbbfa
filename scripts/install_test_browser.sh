#!/bin/sh
# Installs what the tests of the browser app need: Chromium and Firefox, if apt-get is available to root, and axe-core, if
# npm is available. Tests skip if one of them is missing. Usage: install_test_browser.sh ENVIRONMENT
for browser in chromium firefox-esr; do
    if [ -z "$(command -v $browser)" ] && [ -n "$(command -v apt-get)" ] && [ "$(id -u)" = 0 ]; then
        { timeout 300 apt-get update && DEBIAN_FRONTEND=noninteractive timeout 600 apt-get install -y \
            --no-install-recommends $browser; } >/dev/null 2>&1 || echo "$browser could not be installed"
    fi
done
if [ -n "$(command -v npm)" ] && [ ! -e "$1/node_modules/axe-core" ]; then
    timeout 120 npm install --silent --no-audit --no-fund --no-save --prefix "$1" axe-core >/dev/null 2>&1 ||
        echo "axe-core could not be installed"
fi
exit 0
