/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every kind of mistake in a configuration: where it is reported, and that the line says what is
 * wrong and what is allowed. A row's text is the whole file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "config_rows.h"

static void unknown_keys_name_the_nearest_and_the_allowed_ones(void **state)
{
	static const struct row rows[] = {
		{GOOD "relm: x\n",
		 "3:1: unknown key \"relm\", did you mean \"realm\"?; allowed here: realm, "
		 "listen, relay, auth, peers, limits, kernel, control, log, workers\n"},
		{GOOD "relay:\n  port: 1-2\n",
		 "4:3: unknown key \"relay.port\", did you mean \"relay.ports\"?; allowed here: "
		 "addresses, external, ports\n"},
		{GOOD "socket: {deep: [1, {x: y}]}\nlog: {level: no}\n",
		 "3:1: unknown key \"socket\", did you mean \"control.socket\"?; allowed here: "
		 "realm, listen, relay, auth, peers, limits, kernel, control, log, workers\n"
		 "4:14: log.level: there is no \"no\"; allowed: error|warning|notice|info|debug\n"},
		{GOOD "log: {colour: red}\n",
		 "3:7: unknown key \"log.colour\"; allowed here: level, format\n"},
		{GOOD "log.level: info\n",
		 "3:1: unknown key \"log.level\"; allowed here: realm, listen, relay, auth, peers, "
		 "limits, kernel, control, log, workers\n"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void values_of_the_wrong_type_are_refused_where_they_stand(void **state)
{
	static const struct row rows[] = {
		{"realm: [r]\nauth: {users: {a: b}}\n",
		 "1:8: realm: a list is wrong here; allowed: text (an address in [brackets] needs "
		 "quotes)\n"},
		{"realm:\nauth: {users: {a: b}}\n",
		 "1:7: realm: an empty value is wrong here; allowed: text\n"},
		{"realm: ~\nauth: {users: {a: b}}\n",
		 "1:8: realm: an empty value is wrong here; allowed: text\n"},
		{GOOD "kernel: off\n",
		 "3:9: kernel: a single value is wrong here; allowed: keys with values\n"},
		{GOOD "relay: {addresses: 192.0.2.1}\n",
		 "3:20: relay.addresses: a single value is wrong here; allowed: list of "
		 "addresses\n"},
		{GOOD "listen: {udp: 192.0.2.1:3478}\n",
		 "3:9: listen: a mapping of keys to values is wrong here; allowed: list of udp: "
		 "ADDRESS:PORT\n"},
		{GOOD "listen: [192.0.2.1:3478]\n",
		 "3:10: listen: a single value is wrong here; allowed: list of udp: "
		 "ADDRESS:PORT\n"},
		{GOOD "listen:\n  - udp: 192.0.2.1:1\n    udp: 192.0.2.1:2\n  - {}\n",
		 "4:5: listen: each entry of the list is one pair; allowed: list of udp: "
		 "ADDRESS:PORT\n"
		 "6:5: listen: each entry of the list is one pair; allowed: list of udp: "
		 "ADDRESS:PORT\n"},
		{"realm: r\nauth: {users: [a, b]}\n",
		 "2:15: auth.users: a list is wrong here; allowed: NAME: PASSWORD, ... (an address "
		 "in [brackets] needs quotes)\n"},
		{"realm: r\nauth: {users: {a: [b], c: d}}\n",
		 "2:19: auth.users: a list is wrong here; allowed: NAME: PASSWORD, ... (an address "
		 "in [brackets] needs quotes)\n"},
		{GOOD "? [log]\n: x\n", "3:3: a key is plain text, not a list or mapping\n"},
		{"- realm\n- r\n",
		 "1:1: the file holds a list; allowed: keys with values, such as realm: "
		 "example.org\n"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void numbers_are_decimal_digits_in_range_and_nothing_else(void **state)
{
	static const char *const not_numbers[] = {"1e3", "010", "0x10", "1_000", "+5",	  "-1",
						  "5.0", "5 5", "five", "true",	 "\"5\"", "20M"};
	static const struct row ranges[] = {
		{GOOD "workers: 65\n", "3:10: workers: 65 is out of range; allowed: 0 to 64\n"},
		{GOOD "limits: {allocations: 0}\n",
		 "3:23: limits.allocations: 0 is out of range; allowed: 1 to 1000000\n"},
		{GOOD "limits: {allocations: 4294967297}\n",
		 "3:23: limits.allocations: 4294967297 is out of range; allowed: 1 to 1000000\n"},
		{GOOD "limits: {allocations: 99999999999999999999999}\n",
		 "3:23: limits.allocations: 99999999999999999999999 is out of range; allowed: 1 "
		 "to 1000000\n"},
		{GOOD "limits: {allocations_per_user: 1000001}\n",
		 "3:32: limits.allocations_per_user: 1000001 is out of range; allowed: 0 to "
		 "1000000\n"},
		{GOOD "limits: {permissions_per_allocation: 1025}\n",
		 "3:38: limits.permissions_per_allocation: 1025 is out of range; allowed: 1 to "
		 "1024\n"},
		{GOOD "limits: {bandwidth_per_allocation: 7999}\n",
		 "3:36: limits.bandwidth_per_allocation: 7999 is out of range; allowed: 0, or 8K "
		 "to "
		 "100G\n"},
		{GOOD "limits: {bandwidth_per_allocation: 101G}\n",
		 "3:36: limits.bandwidth_per_allocation: 101G is out of range; allowed: 0, or 8K "
		 "to "
		 "100G\n"},
		{GOOD "limits: {bandwidth_per_allocation: 20m}\n",
		 "3:36: limits.bandwidth_per_allocation: \"20m\" is not a rate; allowed: 0, or "
		 "bits "
		 "per second such as 500K, 20M, 1G\n"},
		{GOOD "limits: {bandwidth_per_allocation: 20MB}\n",
		 "3:36: limits.bandwidth_per_allocation: \"20MB\" is not a rate; allowed: 0, or "
		 "bits "
		 "per second such as 500K, 20M, 1G\n"},
		{GOOD "limits: {channels_per_allocation: 0}\n",
		 "3:35: limits.channels_per_allocation: 0 is out of range; allowed: 1 to 1024\n"},
		{"realm: r\nauth: {users: {a: b}, nonce_lifetime: 59}\n",
		 "2:39: auth.nonce_lifetime: 59 is out of range; allowed: 60 to 86400\n"},
		{"realm: r\nauth: {users: {a: b}, nonce_lifetime: 86401}\n",
		 "2:39: auth.nonce_lifetime: 86401 is out of range; allowed: 60 to 86400\n"},
	};
	char yaml[128], expected[256];

	(void)state;
	check_rows(ranges, ARRAY_SIZE(ranges));
	for (size_t i = 0; i < ARRAY_SIZE(not_numbers); i++) {
		const char *text = not_numbers[i];
		bool quoted = text[0] == '"';

		snprintf(yaml, sizeof(yaml), GOOD "workers: %s\n", text);
		snprintf(expected, sizeof(expected),
			 "3:10: workers: \"%.*s\" is not a number; allowed: 0 to 64, in decimal "
			 "digits without quotes\n",
			 (int)strlen(text) - 2 * quoted, text + quoted);
		check_rows(&(struct row){yaml, expected}, 1);
	}
}

static void keys_given_twice_are_refused_with_the_first_line(void **state)
{
	static const struct row rows[] = {
		{GOOD "realm: s\n", "3:1: realm: given twice, first in line 1; allowed: once\n"},
		{GOOD "log: {level: info, level: error}\n",
		 "3:20: log.level: given twice, first in line 3; allowed: once\n"},
		{GOOD "log: {level: info}\nlog: {format: wrong}\n",
		 "4:1: log: given twice, first in line 3; allowed: once\n"},
		{"realm: r\nauth:\n  users: {a: b, c: d, a: e}\n",
		 "3:23: auth.users: \"a\" is given twice; allowed: once\n"},
		{GOOD "listen: [udp: 192.0.2.1:1, udp: 192.0.2.1:1]\n",
		 "3:33: listen: 192.0.2.1:1 is given twice; allowed: once\n"},
		{GOOD "relay: {addresses: [\"2001:db8::1\", \"2001:db8:0::1\"]}\n",
		 "3:36: relay.addresses: 2001:db8:0::1 is given twice; allowed: once\n"},
		{GOOD "relay: {external: {192.0.2.1: 192.0.2.2, 192.0.2.1: 192.0.2.3}}\n",
		 "3:42: relay.external: 192.0.2.1 is given twice; allowed: once\n"},
		{GOOD "kernel: {interfaces: [eth0, eth0]}\n",
		 "3:29: kernel.interfaces: eth0 is given twice; allowed: once\n"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

#define NOT_IP " is not an IP address; allowed: 192.0.2.1, or 2001:db8::1, without a port\n"
#define NOT_ADDRESS                                                                              \
	" is not an address with a port; allowed: 192.0.2.1:3478, or \"[2001:db8::1]:3478\" in " \
	"quotes\n"
#define NOT_PREFIX                                                                              \
	" is not a prefix; allowed: 10.0.0.0/8, 2001:db8::/32 or one address, the bits behind " \
	"the length zero\n"
#define NOT_PORTS \
	" is not a range of ports; allowed: FIRST-LAST with 1 to 65535, such as 49152-65535\n"

static void malformed_addresses_prefixes_and_ports_are_refused(void **state)
{
	static const struct row rows[] = {
		{GOOD "listen: [udp: 192.0.2.1]\n", "3:15: listen: \"192.0.2.1\"" NOT_ADDRESS},
		{GOOD "listen: [udp: example.org:3478]\n",
		 "3:15: listen: \"example.org:3478\"" NOT_ADDRESS},
		{GOOD "relay: {addresses: [192.0.2.256, 192.0.2.1:80]}\n",
		 "3:21: relay.addresses: \"192.0.2.256\"" NOT_IP
		 "3:34: relay.addresses: \"192.0.2.1:80\"" NOT_IP},
		{GOOD "relay: {external: {nat: 192.0.2.x}}\n",
		 "3:20: relay.external: \"nat\"" NOT_IP
		 "3:25: relay.external: \"192.0.2.x\"" NOT_IP},
		{GOOD "peers: {allow: [10.0.0.1/8], deny: [10.0.0.0/33]}\n",
		 "3:17: peers.allow: \"10.0.0.1/8\"" NOT_PREFIX
		 "3:37: peers.deny: \"10.0.0.0/33\"" NOT_PREFIX},
		{GOOD "relay: {ports: 65535}\n", "3:16: relay.ports: \"65535\"" NOT_PORTS},
		{GOOD "relay: {ports: 0-9}\n", "3:16: relay.ports: \"0-9\"" NOT_PORTS},
		{GOOD "relay: {ports: 10-9}\n", "3:16: relay.ports: \"10-9\"" NOT_PORTS},
		{GOOD "relay: {ports: 1-65536}\n", "3:16: relay.ports: \"1-65536\"" NOT_PORTS},
		{GOOD "relay: {ports: 1 - 2}\n", "3:16: relay.ports: \"1 - 2\"" NOT_PORTS},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void addresses_that_cannot_be_served_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *ip, *reason;
	} rows[] = {
		{"0.0.0.0", "0.0.0.0 is a wildcard, which cannot be answered from; allowed: each "
			    "address by itself"},
		{"::", ":: is a wildcard, which cannot be answered from; allowed: each address by "
		       "itself"},
		{"224.0.0.1", "224.0.0.1 is multicast or reserved; allowed: unicast addresses"},
		{"255.255.255.255",
		 "255.255.255.255 is multicast or reserved; allowed: unicast addresses"},
		{"ff02::1", "ff02::1 is multicast; allowed: unicast addresses"},
		{"fe80::1",
		 "fe80::1 is link-local; allowed: addresses that are valid beyond one link"},
		{"::ffff:192.0.2.1",
		 "::ffff:192.0.2.1 is an IPv4 address in IPv6 form; allowed: the IPv4 address "
		 "itself"},
	};
	char yaml[256], expected[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool v6 = strchr(rows[i].ip, ':');

		snprintf(yaml, sizeof(yaml), GOOD "listen: [udp: \"%s%s%s:3478\"]\n", v6 ? "[" : "",
			 rows[i].ip, v6 ? "]" : "");
		snprintf(expected, sizeof(expected), "3:15: listen: %s\n", rows[i].reason);
		check_rows(&(struct row){yaml, expected}, 1);
		snprintf(yaml, sizeof(yaml), GOOD "relay: {addresses: [\"%s\"]}\n", rows[i].ip);
		snprintf(expected, sizeof(expected), "3:21: relay.addresses: %s\n", rows[i].reason);
		check_rows(&(struct row){yaml, expected}, 1);
	}
}

static void a_quoted_value_is_not_cut_inside_a_character(void **state)
{
	/* 59 bytes, then one character of two, three or four: none of it fits into 60. */
#define X59 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	static const struct row rows[] = {
		{GOOD "log: {level: " X59 "\xc3\xa9}\n",
		 "3:14: log.level: there is no \"" X59 "\"; allowed: "
		 "error|warning|notice|info|debug\n"},
		{GOOD "log: {level: " X59 "\xe2\x82\xac}\n",
		 "3:14: log.level: there is no \"" X59 "\"; allowed: "
		 "error|warning|notice|info|debug\n"},
		{GOOD "log: {level: " X59 "\xf0\x9f\x98\x80}\n",
		 "3:14: log.level: there is no \"" X59 "\"; allowed: "
		 "error|warning|notice|info|debug\n"},
		{GOOD "log: {level: \xc3\xa9}\n",
		 "3:14: log.level: there is no \"\xc3\xa9\"; allowed: "
		 "error|warning|notice|info|debug\n"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void transports_of_later_versions_are_named_as_not_supported(void **state)
{
	static const struct row rows[] = {
		{GOOD "listen:\n  - tcp: 192.0.2.1:3478\n  - tls: x\n  - dtls: y\n  - sctp: z\n",
		 "4:5: listen: tcp is not supported by this version; allowed: udp\n"
		 "5:5: listen: tls is not supported by this version; allowed: udp\n"
		 "6:5: listen: dtls is not supported by this version; allowed: udp\n"
		 "7:5: listen: there is no transport \"sctp\"; allowed: udp\n"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void required_keys_are_missed_at_their_section_or_the_top(void **state)
{
	static const struct row rows[] = {
		{"# a comment\nworkers: 1\n",
		 "2:1: realm is missing; needed is a name such as realm: example.org\n"
		 "2:1: auth.users is missing or empty; needed is at least one user, such as auth: "
		 "{users: {alice: PASSWORD}}\n"},
		{"realm: r\nauth: {nonce_lifetime: 60}\n",
		 "2:1: auth.users is missing or empty; needed is at least one user, such as auth: "
		 "{users: {alice: PASSWORD}}\n"},
		{"realm: r\nauth: {users: {}}\n",
		 "2:8: auth.users is missing or empty; needed is at least one user, such as auth: "
		 "{users: {alice: PASSWORD}}\n"},
		{"realm: \"\"\nauth: {users: {a: b}}\n",
		 "1:8: realm: 0 bytes long; allowed: 1 to 127\n"},
		{"realm: r\nauth: {users: {\"\": b, c: \"\", d: }}\n",
		 "2:16: auth.users: a name of 0 bytes; allowed: 1 to 508 bytes\n"
		 "2:26: auth.users: a password of 0 bytes; allowed: 1 to 512 bytes\n"
		 "2:33: auth.users: an empty value is wrong here; allowed: NAME: PASSWORD, ...\n"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void paths_and_interface_names_that_cannot_be_are_refused(void **state)
{
	char yaml[512], expected[512], longest[128];
	static const char *const names[] = {"sixteen-bytes-xx", "a/b", "a b", ".", ".."};

	(void)state;
	check_rows(&(struct row){GOOD "control: {socket: run/c}\n",
				 "3:19: control.socket: \"run/c\" is not an absolute path; "
				 "allowed: one that begins with /\n"},
		   1);
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[CONFIG_PATH_MAX] = '\0';
	snprintf(yaml, sizeof(yaml), GOOD "kernel: {pin_path: %s}\n", longest);
	check_rows(&(struct row){yaml, "3:20: kernel.pin_path: the path has 96 bytes; allowed: up "
				       "to 95\n"},
		   1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(yaml, sizeof(yaml), GOOD "kernel: {interfaces: [%s]}\n", names[i]);
		snprintf(expected, sizeof(expected),
			 "3:23: kernel.interfaces: \"%s\" cannot be an interface's name; allowed: "
			 "up to 15 bytes without /, : and spaces\n",
			 names[i]);
		check_rows(&(struct row){yaml, expected}, 1);
	}
}

static void what_yaml_has_beyond_plain_data_is_refused(void **state)
{
	static const struct row rows[] = {
		{GOOD "log: &l {level: info}\ncontrol: *l\n",
		 "3:6: anchors (&) and aliases (*) are not allowed; write the value out, or in "
		 "quotes if it is meant to begin so\n"
		 "4:10: anchors (&) and aliases (*) are not allowed; write the value out, or in "
		 "quotes if it is meant to begin so\n"},
		{"realm: !!str r\nauth: {users: {a: b}}\n",
		 "1:8: tags (!) are not allowed; write the value in quotes if it is meant to "
		 "begin so\n"},
		{GOOD "---\nrealm: s\n", "3:1: a second document begins; allowed: one in a file\n"},
		{"realm: \"a\\nb\"\nauth: {users: {a: \"b\\0c\"}}\n",
		 "1:8: control characters and line breaks are not allowed in a value\n"
		 "2:19: control characters and line breaks are not allowed in a value\n"},
		{"realm: |\n  r\nauth: {users: {a: b}}\n",
		 "1:8: control characters and line breaks are not allowed in a value\n"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void syntax_errors_keep_their_position_and_what_came_before(void **state)
{
	static const struct row rows[] = {
		{GOOD "log:\n\tlevel: info\n",
		 "4:1: not YAML: found character that cannot start any token while scanning for "
		 "the next token; tabs may not indent, use spaces\n"},
		{GOOD "workers: 65\nrelay: [\n",
		 "3:10: workers: 65 is out of range; allowed: 0 to 64\n"
		 "4:8: relay: a list is wrong here; allowed: keys with values\n"
		 "5:1: not YAML: did not find expected node content while parsing a flow node\n"},
		{GOOD "\"open\n", "4:1: not YAML: found unexpected end of stream while scanning a "
				  "quoted scalar\n"},
		{"realm: r\nauth: \xff\n", "2:7: not YAML: invalid leading UTF-8 octet\n"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void empty_files_say_what_is_needed(void **state)
{
	static const struct row rows[] = {
		{"", "1:1: the file is empty; needed are at least realm and auth.users\n"},
		{"# only a comment\n",
		 "1:1: the file is empty; needed are at least realm and auth.users\n"},
		{"---\n", "2:1: the file holds an empty value; allowed: keys with values, such as "
			  "realm: example.org\n"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

/* One entry more than each list may have, each differing in a number. */
static void lists_have_limits_and_say_so_once(void **state)
{
	static const struct {
		const char *before, *entry, *after, *key;
		unsigned int max, lines_before;
	} rows[] = {
		{GOOD "listen:\n", "- udp: 192.0.2.1:%u\n", "", "listen", CONFIG_LISTEN_MAX, 3},
		{GOOD "relay:\n  addresses:\n", "  - 192.0.2.%u\n", "", "relay.addresses",
		 CONFIG_RELAY_MAX, 4},
		{GOOD "relay:\n  external:\n", "    192.0.2.%u: 203.0.113.1\n", "",
		 "relay.external", CONFIG_RELAY_MAX, 4},
		{GOOD "kernel:\n  interfaces:\n", "  - eth%u\n", "", "kernel.interfaces",
		 CONFIG_INTERFACES_MAX, 4},
		{GOOD "peers:\n  deny:\n", "  - 10.0.0.0/8 # %u\n", "", "peers.deny",
		 CONFIG_PREFIXES_MAX, 4},
		{"realm: r\nauth:\n  users:\n", "    user%u: x\n", "", "auth.users",
		 CONFIG_USERS_MAX, 3},
	};
	char errors[8192], expected[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *yaml = NULL;
		size_t len = 0;
		FILE *f = open_memstream(&yaml, &len);

		fputs(rows[i].before, f);
		for (unsigned int n = 1; n <= rows[i].max + 1; n++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			fprintf(f, rows[i].entry, n);
#pragma GCC diagnostic pop
		}
		fclose(f);
		assert_int_equal(read_bytes(yaml, len, errors, sizeof(errors)), -EINVAL);
		snprintf(expected, sizeof(expected),
			 "%s: more than %u entries; allowed: up to %u\n", rows[i].key, rows[i].max,
			 rows[i].max);
		if (!strstr(errors, expected) || strchr(errors, '\n')[1] != '\0' ||
		    (unsigned int)atoi(errors) != rows[i].lines_before + rows[i].max + 1)
			fail_msg("expected …%sgot %s", expected, errors);
	}
}

static void reading_stops_after_too_many_errors(void **state)
{
	static const char start[] = GOOD "peers:\n  allow:\n", entry[] = "  - x\n";
	char yaml[4096];
	char errors[16384];
	unsigned int lines = 0;

	(void)state;
	size_t len = sizeof(start) - 1;

	memcpy(yaml, start, len);
	for (int i = 0; i < 200; i++, len += sizeof(entry) - 1)
		memcpy(yaml + len, entry, sizeof(entry) - 1);
	assert_int_equal(read_bytes(yaml, len, errors, sizeof(errors)), -EINVAL);
	for (const char *c = errors; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 51);
	assert_non_null(strstr(errors, " 50 errors, not reading on\n"));
}

static void passwords_never_show_in_an_error(void **state)
{
	static const char yaml[] = "realm: r\nauth:\n  users:\n    a: hunter2\n    a: hunter2\n"
				   "    b: \"hunter2\\n\"\n    c: &d hunter2\n    e: !f hunter2\n"
				   "    g: {hunter2: x}\n    h: [hunter2\n";
	char errors[8192];

	(void)state;
	assert_int_equal(read_bytes(yaml, strlen(yaml), errors, sizeof(errors)), -EINVAL);
	assert_null(strstr(errors, "hunter2"));
	assert_non_null(strstr(errors, "\"a\" is given twice"));
}

/* Whatever a file holds, reading it ends, with 0 or with errors. */
static void every_cut_and_every_changed_byte_of_a_file_is_survived(void **state)
{
	static const char yaml[] = GOOD "listen: [udp: \"[2001:db8::1]:1\"]\nrelay:\n  external:\n"
					"    192.0.2.1: 203.0.113.7\n  ports: 1-2\npeers: {allow: "
					"[10.0.0.0/8]}\nlog: {level: info}\n? x\n: y\n";
	static const char changes[] = "\t\n[{:,&*!\"'\xff|-#";
	char copy[sizeof(yaml)], errors[16384];

	(void)state;
	for (size_t cut = 0; cut < sizeof(yaml); cut++)
		read_bytes(yaml, cut, errors, sizeof(errors));
	for (size_t at = 0; at < sizeof(yaml) - 1; at++) {
		memcpy(copy, yaml, sizeof(yaml));
		for (size_t i = 0; i < sizeof(changes); i++) {
			copy[at] = changes[i];
			int err = read_bytes(copy, sizeof(yaml) - 1, errors, sizeof(errors));

			assert_true((err == -EINVAL) == (errors[0] != '\0'));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_keys_name_the_nearest_and_the_allowed_ones),
		cmocka_unit_test(values_of_the_wrong_type_are_refused_where_they_stand),
		cmocka_unit_test(numbers_are_decimal_digits_in_range_and_nothing_else),
		cmocka_unit_test(keys_given_twice_are_refused_with_the_first_line),
		cmocka_unit_test(malformed_addresses_prefixes_and_ports_are_refused),
		cmocka_unit_test(addresses_that_cannot_be_served_are_refused_with_the_reason),
		cmocka_unit_test(a_quoted_value_is_not_cut_inside_a_character),
		cmocka_unit_test(transports_of_later_versions_are_named_as_not_supported),
		cmocka_unit_test(required_keys_are_missed_at_their_section_or_the_top),
		cmocka_unit_test(paths_and_interface_names_that_cannot_be_are_refused),
		cmocka_unit_test(what_yaml_has_beyond_plain_data_is_refused),
		cmocka_unit_test(syntax_errors_keep_their_position_and_what_came_before),
		cmocka_unit_test(empty_files_say_what_is_needed),
		cmocka_unit_test(lists_have_limits_and_say_so_once),
		cmocka_unit_test(reading_stops_after_too_many_errors),
		cmocka_unit_test(passwords_never_show_in_an_error),
		cmocka_unit_test(every_cut_and_every_changed_byte_of_a_file_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
