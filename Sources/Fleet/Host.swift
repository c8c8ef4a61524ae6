// SPDX-License-Identifier: Apache-2.0

extension Fleet {
    /// What Prometheus watches: the instances, and their public addresses.
    func prometheusFiles() -> [RenderedFile] {
        let instances = servers.map { "    - 127.0.0.1:\($0.adminPort)\n" }.joined()
        let addresses = publicServers.map { server in
            "- targets: [\(jsonString(server.url ?? ""))]\n  labels: { name: \(server.name) }\n"
        }
        return [
            RenderedFile(
                "/etc/prometheus/targets/servers.yml",
                Self.mark + (instances.isEmpty ? "[]\n" : "- targets:\n" + instances)
            ),
            RenderedFile(
                "/etc/prometheus/targets/public.yml",
                Self.mark + (addresses.isEmpty ? "[]\n" : addresses.joined())
            ),
        ]
    }

    /// Rules of the firewall, in a table of their own: nothing of ufw, Docker or anybody else is touched.
    func firewall() -> RenderedFile {
        let ports = servers.flatMap { [$0.port, $0.adminPort] }.sorted().map(String.init)
        let elements = ports.isEmpty ? "" : " elements = { \(ports.joined(separator: ", ")) };"
        return RenderedFile(
            "\(FleetPaths.home)/fleet/mcp.nft",
            Self.mark + """
                # Loaded by mcp-firewall.service. Declaring the table before deleting it makes this work the first time too.
                table inet mcp
                delete table inet mcp

                table inet mcp {
                    # The instances and their metrics.
                    set ports { type inet_service;\(elements) }

                    # They listen on loopback; should one be told otherwise, nobody gets there past nginx.
                    chain input {
                        type filter hook input priority filter - 5; policy accept;
                        iif lo accept
                        tcp dport @ports counter drop
                    }

                    # Containers fetch what callers name. What the cloud tells this machine of itself, keys included, is
                    # not for them.
                    chain forward {
                        type filter hook forward priority filter - 5; policy accept;
                        ip daddr 169.254.169.254 counter drop
                        ip6 daddr fd00:ec2::254 counter drop
                    }
                }

                """
        )
    }

    /// Puts into force what was rendered. It may run again at any time: what did not change is left running.
    func enableScript() -> RenderedFile {
        let names = servers.map { " \($0.name)" }.joined()
        var text =
            "#!/bin/sh\n" + Self.mark + """
                # Puts into force what was rendered: units, firewall, nginx, certificate. It may run again at any time, and
                # restarts only the servers whose files have changed.
                set -eu

                systemd-sysusers
                systemd-tmpfiles --create
                systemctl daemon-reload

                names="\(names.dropFirst())"
                fresh=
                for name in $names; do
                    state=$(cat "/opt/mcp/config/$name.env" "/etc/systemd/system/mcp@$name.service.d/"*.conf \\
                        "/opt/mcp/secrets/$name/"* 2>/dev/null | sha256sum)
                    if [ "$state" != "$(cat "/run/mcp-fleet/$name" 2>/dev/null)" ]; then fresh="$fresh mcp@$name.service"; fi
                    install -d -m 0700 /run/mcp-fleet
                    printf '%s\\n' "$state" >"/run/mcp-fleet/$name"
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

                """
        if publicServers.isEmpty {
            text += "# What was public before is so no more.\nsystemctl try-reload-or-restart nginx 2>/dev/null || :\n"
        } else {
            text += """

                # nginx needs a certificate to start with, and certbot needs nginx: a placeholder breaks the circle.
                if [ ! -e \(Self.certificates)/fullchain.pem ]; then
                    install -d -m 0700 \(Self.certificates)
                    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=placeholder \\
                        -keyout \(Self.certificates)/privkey.pem -out \(Self.certificates)/fullchain.pem 2>/dev/null
                fi
                install -d -m 0755 \(Self.challenges)
                nginx -t
                systemctl enable --quiet nginx
                systemctl reload-or-restart nginx
                if [ "${1:-}" != --no-certificate ]; then \(FleetPaths.home)/fleet/certificate.sh; fi

                """
        }
        text += "exit ${failed:-0}\n"
        return RenderedFile("\(FleetPaths.home)/fleet/enable.sh", mode: 0o755, text)
    }
}
