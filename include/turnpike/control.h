/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The control socket's messages: a stream Unix socket, one JSON document per line each way.
 *
 *   request   {"command": "status"}
 *   response  {"ok": true, "result": {…}}
 *             {"ok": false, "error": "what is wrong, what is allowed"}
 *
 * The members below are what turnpikectl and scripts may rely on; new ones may be added.
 */
#ifndef TURNPIKE_CONTROL_H
#define TURNPIKE_CONTROL_H

#define CONTROL_PROTOCOL_VERSION 1
#define CONTROL_SOCKET_DEFAULT	 "/run/turnpike/control.sock"
#define CONTROL_REQUEST_MAX	 4096

/* X(constant, command, what it answers) */
#define CONTROL_COMMANDS(X)                                                                  \
	X(STATUS, "status", "version, uptime, listeners, relay addresses, interfaces, load") \
	X(STATS, "stats", "every counter of daemon and kernel by name")                      \
	X(ALLOCATIONS, "allocations", "who, where, permissions, channels, traffic, path")

enum control_command {
#define X(constant, command, what) CONTROL_##constant,
	CONTROL_COMMANDS(X)
#undef X
	CONTROL_COMMAND_MAX,
};

/*
 * status:      {"protocol", "version", "pid", "uptime_s", "workers", "realm",
 *               "listeners": [{"transport", "address"}],
 *               "relay": {"addresses": [{"internal", "external"}], "first_port", "last_port"},
 *               "kernel": {"mode", "reason", "pin_path",
 *                          "interfaces": [{"name", "ifindex", "mode", "reason"}],
 *                          "flows": {"used", "size"}},
 *               "allocations": {"current", "limit"}}
 * stats:       {"daemon": {"name": {"value", "help"}, …},
 *               "kernel": {"name": {"kind": "carried|passed|dropped", "packets", "bytes",
 *                                   "help"}, …}}
 * allocations: {"allocations": [{"worker", "id", "user", "transport", "client", "server",
 *               "relayed": ["addr:port", …], "age_s", "expires_s",
 *               "permissions": [{"peer", "expires_s"}],
 *               "channels": [{"number": "0x4000", "peer", "expires_s", "path": "kernel|daemon",
 *                             "to_peer": {"packets", "bytes"}, "to_client": {…}}],
 *               "daemon": {"to_peer": {"packets", "bytes"}, "to_client": {…}},
 *               "kernel": {"to_peer": {…}, "to_client": {…}}}]}
 */

#endif
