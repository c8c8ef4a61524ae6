// SPDX-License-Identifier: Apache-2.0

extension Fleet {
    /// Where nginx finds the certificate: links to that of the authority, or a placeholder before there is one.
    static let certificates = "\(FleetPaths.home)/tls"
    static let challenges = "/var/www/mcp-acme"

    func nginxFiles(keys: [String: String]) -> [RenderedFile] {
        guard !publicServers.isEmpty else { return [] }
        var files = [
            RenderedFile("/etc/nginx/conf.d/00-mcp.conf", Self.mark + common),
            RenderedFile("/etc/nginx/snippets/mcp-proxy.conf", Self.mark + snippet),
        ]
        for server in publicServers {
            files.append(RenderedFile("/etc/nginx/conf.d/mcp-\(server.name).conf", Self.mark + site(server)))
            guard server.access == .key, let key = keys[server.name] else { continue }
            files.append(
                RenderedFile(
                    "/etc/nginx/mcp-keys/\(server.name).map",
                    mode: 0o640,
                    isSecret: true,
                    Self.mark + "\"Bearer \(key)\" 1;\n\(key) 1;\n"
                )
            )
        }
        return files
    }

    private var common: String {
        let names = publicServers.compactMap(\.host).map { "        \($0)" }.joined(separator: "\n")
        return """
            # What all servers share. The file comes first among its kind, for they use what it defines.

            # Paths without what follows the '?': sessions of HTTP+SSE are named there.
            log_format mcp '$remote_addr [$time_iso8601] $host "$request_method $uri $server_protocol" $status '
                           '$body_bytes_sent $request_time $upstream_response_time';

            limit_req_zone $binary_remote_addr zone=mcp_requests:10m rate=20r/s;
            limit_conn_zone $binary_remote_addr zone=mcp_connections:10m;

            # Certificates are asked for over plain HTTP, and nothing else: a call would send its key in the open.
            server {
                listen 80;
                listen [::]:80;
                server_name
            \(names);
                access_log /var/log/nginx/mcp.log mcp;
                location ^~ /.well-known/acme-challenge/ { root \(Self.challenges); }
                location / { return 403; }
            }

            # Who names no server, or one that is not here, gets none.
            server {
                listen 443 ssl http2;
                listen [::]:443 ssl http2;
                server_name mcp.invalid;
                ssl_reject_handshake on;
                access_log /var/log/nginx/mcp.log mcp;
                return 421;
            }

            """
    }

    private var snippet: String {
        """
        # How a request for an MCP server is passed on. Included where the path is known.
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header Connection "";
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        # The key ends here.
        proxy_set_header Authorization "";
        proxy_set_header X-API-Key "";

        # Events leave as they come, and streams stay open.
        proxy_buffering off;
        proxy_cache off;
        gzip off;
        proxy_connect_timeout 5s;
        proxy_read_timeout 1h;
        proxy_send_timeout 1h;
        # A call may have had its effect: no second one.
        proxy_next_upstream off;

        # The proxy limits bodies itself, and says so in the words of the protocol.
        client_max_body_size 0;
        proxy_request_buffering off;

        limit_req zone=mcp_requests burst=100 nodelay;
        limit_req_status 429;
        limit_conn mcp_connections 200;
        limit_conn_status 429;

        access_log /var/log/nginx/mcp.log mcp;
        # Below this, errors are logged with the whole request line.
        error_log /var/log/nginx/mcp-error.log crit;

        """
    }

    private func site(_ server: Server) -> String {
        let check: String
        let name = server.name.map { $0 == "-" ? "_" : String($0) }.joined()
        var text = ""
        switch server.access {
        case .key:
            text += """
                # Who may call: "Authorization: Bearer KEY", or "X-API-Key: KEY".
                map $http_authorization$http_x_api_key $mcp_key_\(name) {
                    default 0;
                    include /etc/nginx/mcp-keys/\(server.name).map;
                }
                # A browser asks without its key whether it may call.
                map $request_method $mcp_open_\(name) {
                    default $mcp_key_\(name);
                    OPTIONS 1;
                }


                """
            check = """
                        if ($mcp_open_\(name) = 0) {
                            add_header WWW-Authenticate 'Bearer realm="\(server.name)"' always;
                            return 401;
                        }

                """
        case .everybody:
            text += "# public: true in fleet.yaml: everybody may call.\n"
            check = ""
        }
        let paths = endpoints(server)
        let locations = paths.map { path in
            """
                location = \(path) {
            \(check)        include snippets/mcp-proxy.conf;
                    proxy_pass http://mcp-\(server.name);
                }

            """
        }
        return text + """
            upstream mcp-\(server.name) {
                server 127.0.0.1:\(server.port);
                keepalive 16;
            }

            server {
                listen 443 ssl http2;
                listen [::]:443 ssl http2;
                server_name \(server.host ?? "");
                ssl_certificate \(Self.certificates)/fullchain.pem;
                ssl_certificate_key \(Self.certificates)/privkey.pem;
                ssl_protocols TLSv1.2 TLSv1.3;
                access_log /var/log/nginx/mcp.log mcp;

            \(locations.joined())    location / { return 404; }
            }

            """
    }

    /// The paths that clients call.
    private func endpoints(_ server: Server) -> [String] {
        let value = { (name: String) in server.options.first { $0.name == name }?.value }
        let stream = value("stream-endpoint") ?? "/mcp"
        let events = value("sse-endpoint") ?? "/sse"
        let messages = events == "/" ? "/messages" : events + "/messages"
        switch value("server") {
        case "stream": return [stream]
        case "sse": return [events, messages]
        default: return [stream, events, messages]
        }
    }

    // MARK: Names and certificates

    /// What the name servers of the domain have to say.
    func dnsRecords() -> RenderedFile {
        let records = publicServers.compactMap(\.host).flatMap { host in
            ["\(host).  300  IN  A     ADDRESS", "\(host).  300  IN  AAAA  ADDRESS6"]
        }
        let text = """
            ; The addresses of this machine: ADDRESS of IPv4, ADDRESS6 of IPv6. Without IPv6, leave out the second kind.
            \(records.joined(separator: "\n"))

            """
        return RenderedFile(
            "\(FleetPaths.home)/fleet/dns.zone",
            Self.mark.split(separator: "\n").map { "; " + $0.dropFirst(2) + "\n" }.joined() + text
        )
    }

    func certificateScript() -> RenderedFile {
        let account = email.map { "--email \($0) --no-eff-email" } ?? "--register-unsafely-without-email"
        let names = publicServers.compactMap(\.host).map { "    -d \($0)" }.joined(separator: " \\\n")
        return RenderedFile(
            "\(FleetPaths.home)/fleet/certificate.sh",
            mode: 0o755,
            "#!/bin/sh\n" + Self.mark + """
                # Gets one certificate for all public names. What certbot installs renews it; the hook puts it into use.
                # Arguments are handed on to certbot.
                set -eu
                exec certbot certonly --non-interactive --agree-tos \(account) \\
                    --webroot --webroot-path \(Self.challenges) --cert-name mcp --key-type ecdsa --expand \\
                    --deploy-hook \(Self.hook) "$@" \\
                \(names)

                """
        )
    }

    private static let hook = "/etc/letsencrypt/renewal-hooks/deploy/mcp-nginx"

    /// What certbot runs after each renewal.
    func renewalHook() -> RenderedFile {
        RenderedFile(
            Self.hook,
            mode: 0o755,
            "#!/bin/sh\n" + Self.mark + """
                set -eu
                [ "${RENEWED_LINEAGE##*/}" = mcp ] || exit 0
                install -d -m 0700 \(Self.certificates)
                ln -sf "$RENEWED_LINEAGE/fullchain.pem" "$RENEWED_LINEAGE/privkey.pem" \(Self.certificates)/
                nginx -t
                systemctl reload nginx

                """
        )
    }
}
