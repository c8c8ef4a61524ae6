#!/bin/sh
# Written by mcp-proxy fleet render from fleet.yaml: change it there. A file that was edited is kept as it is.
# Puts into force what was rendered: units, firewall, nginx, certificate. It may run again at any time, and
# restarts only the servers whose files have changed.
set -eu

systemd-sysusers
systemd-tmpfiles --create
systemctl daemon-reload

names="github-work own local"
fresh=
for name in $names; do
    state=$(cat "/opt/mcp/config/$name.env" "/etc/systemd/system/mcp@$name.service.d/"*.conf \
        "/opt/mcp/secrets/$name/"* 2>/dev/null | sha256sum)
    if [ "$state" != "$(cat "/run/mcp-fleet/$name" 2>/dev/null)" ]; then fresh="$fresh mcp@$name.service"; fi
    install -d -m 0700 /run/mcp-fleet
    printf '%s\n' "$state" >"/run/mcp-fleet/$name"
done
systemctl enable --quiet mcp.target mcp-firewall.service
for name in $names; do systemctl enable --quiet "mcp@$name.service"; done
# Those whose env file is gone.
for unit in $(systemctl list-units --all --plain --no-legend 'mcp@*.service' | cut -d ' ' -f 1); do
    name=${unit#mcp@}
    [ -e "/opt/mcp/config/${name%.service}.env" ] || systemctl disable --quiet --now "$unit"
done
if [ -n "$fresh" ]; then
    systemctl reset-failed $fresh 2>/dev/null || :
    systemctl restart $fresh || failed=1
fi
systemctl start mcp.target
systemctl restart mcp-firewall.service

# nginx needs a certificate to start with, and certbot needs nginx: a placeholder breaks the circle.
if [ ! -e /opt/mcp/tls/fullchain.pem ]; then
    install -d -m 0700 /opt/mcp/tls
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=placeholder \
        -keyout /opt/mcp/tls/privkey.pem -out /opt/mcp/tls/fullchain.pem 2>/dev/null
fi
install -d -m 0755 /var/www/mcp-acme
nginx -t
systemctl enable --quiet nginx
systemctl reload-or-restart nginx
if [ "${1:-}" != --no-certificate ]; then /opt/mcp/fleet/certificate.sh; fi
exit ${failed:-0}
