#!/bin/sh
# Written by mcp-proxy fleet render from fleet.yaml: change it there. A file that was edited is kept as it is.
# Gets one certificate for all public names. What certbot installs renews it; the hook puts it into use.
# Arguments are handed on to certbot.
set -eu
exec certbot certonly --non-interactive --agree-tos --email admin@example.com --no-eff-email \
    --webroot --webroot-path /var/www/mcp-acme --cert-name mcp --key-type ecdsa --expand \
    --deploy-hook /etc/letsencrypt/renewal-hooks/deploy/mcp-nginx "$@" \
    -d github-work.mcp.example.com \
    -d own.example.net
