/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each key of the configuration does to struct config, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "config/config.h"

/* Reads yaml as a file; prints the errors it should not have. */
static int read_text(const char *yaml, struct config *ret)
{
	_cleanup_close_ int fd = memfd_create("tp-config", MFD_CLOEXEC);
	char path[32];

	assert_true(fd >= 0);
	assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	config_init(ret);
	return config_read(path, stderr, ret);
}

/* A realm, a user, and the text behind them. */
static void read_good(const char *yaml, struct config *ret)
{
	char text[4096];

	snprintf(text, sizeof(text), "realm: example.org\nauth: {users: {alice: secret}}\n%s",
		 yaml);
	if (read_text(text, ret) != 0)
		fail_msg("refused: %s", yaml);
}

static void realm_and_one_user_are_enough_and_all_else_is_default(void **state)
{
	struct config c, defaults;

	(void)state;
	read_good("", &c);
	config_init(&defaults);
	assert_string_equal(c.realm, "example.org");
	assert_int_equal(c.auth.user_count, 1);
	assert_string_equal(c.auth.users[0].name, "alice");
	assert_string_equal(c.auth.users[0].password, "secret");
	defaults.realm = c.realm;
	defaults.auth.users = c.auth.users;
	defaults.auth.user_count = 1;
	assert_memory_equal(&c, &defaults, sizeof(c));
	config_free(&c);
}

static void defaults_are_what_the_documentation_says(void **state)
{
	struct config c;

	(void)state;
	config_init(&c);
	assert_int_equal(c.relay.port_first, 49152);
	assert_int_equal(c.relay.port_last, 65535);
	assert_int_equal(c.auth.nonce_lifetime_s, 3600);
	assert_int_equal(c.limits.allocations, 100000);
	assert_int_equal(c.limits.allocations_per_user, 100);
	assert_int_equal(c.limits.permissions_per_allocation, 64);
	assert_int_equal(c.limits.channels_per_allocation, 64);
	assert_int_equal(c.kernel.mode, CONFIG_KERNEL_AUTO);
	assert_string_equal(c.kernel.pin_path, "/sys/fs/bpf/turnpike");
	assert_string_equal(c.control.socket, "/run/turnpike/control.sock");
	assert_int_equal(c.log.level, LOG_LEVEL_INFO);
	assert_int_equal(c.log.format, LOG_FORMAT_TEXT);
	assert_int_equal(c.workers, 0);
}

static void listen_keeps_order_and_marks_of_its_addresses(void **state)
{
	struct config c;

	(void)state;
	read_good("listen:\n  - udp: 192.0.2.1:3478\n  - udp: \"[2001:db8::1]:53\"\n", &c);
	assert_int_equal(c.listen_count, 2);
	assert_int_equal(c.listen[0].transport, CONFIG_UDP);
	assert_string_equal(ADDR_TEXT(&c.listen[0].addr), "192.0.2.1:3478");
	assert_string_equal(ADDR_TEXT(&c.listen[1].addr), "[2001:db8::1]:53");
	assert_int_equal(c.listen[1].mark.line, 5);
	assert_int_equal(c.listen[1].mark.column, 10);
	config_free(&c);
}

static void relay_takes_addresses_external_pairs_and_ports(void **state)
{
	struct config c;

	(void)state;
	read_good("relay:\n  addresses: [192.0.2.1, \"2001:db8::1\"]\n  external:\n"
		  "    192.0.2.1: 203.0.113.7\n    2001:db8::1: 2001:db8:f::1\n"
		  "  ports: 5000-5999\n",
		  &c);
	assert_int_equal(c.relay.address_count, 2);
	assert_string_equal(ADDR_IP_TEXT(&c.relay.addresses[0].addr), "192.0.2.1");
	assert_string_equal(ADDR_IP_TEXT(&c.relay.addresses[1].addr), "2001:db8::1");
	assert_int_equal(c.relay.addresses[1].mark.line, 4);
	assert_int_equal(c.relay.addresses[1].mark.column, 26);
	assert_int_equal(c.relay.external_count, 2);
	assert_string_equal(ADDR_IP_TEXT(&c.relay.external[0].internal), "192.0.2.1");
	assert_string_equal(ADDR_IP_TEXT(&c.relay.external[0].external), "203.0.113.7");
	assert_string_equal(ADDR_IP_TEXT(&c.relay.external[1].external), "2001:db8:f::1");
	assert_int_equal(c.relay.external[0].mark.line, 6);
	assert_int_equal(c.relay.port_first, 5000);
	assert_int_equal(c.relay.port_last, 5999);
	config_free(&c);
}

static void external_may_name_a_listener_when_relay_addresses_are_left_out(void **state)
{
	struct config c;

	(void)state;
	read_good("listen: [udp: 192.0.2.1:3478]\nrelay: {external: {192.0.2.1: 203.0.113.7}}\n",
		  &c);
	assert_int_equal(c.relay.external_count, 1);
	config_free(&c);
	read_good("relay: {external: {192.0.2.9: 203.0.113.7}}\n", &c);
	assert_int_equal(c.relay.external_count, 1);
	config_free(&c);
}

static void relay_ports_may_hold_a_listeners_port_if_others_are_left(void **state)
{
	static const char *const rows[] = {
		"listen: [udp: 192.0.2.1:3478]\nrelay: {ports: 3478-3479}\n",
		"listen: [udp: 192.0.2.1:3478]\n"
		"relay: {ports: 3478-3478, addresses: [192.0.2.2]}\n",
		"listen: [udp: 192.0.2.1:3478, udp: 192.0.2.2:3479]\n"
		"relay: {ports: 3478-3479}\n",
		"relay: {ports: 3478-3478, addresses: [192.0.2.2]}\n",
		"relay: {ports: 3479-3479}\n",
	};
	struct config c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		read_good(rows[i], &c);
		config_free(&c);
	}
}

static void users_keep_their_text_whatever_yaml_would_make_of_it(void **state)
{
	struct config c;

	(void)state;
	assert_int_equal(read_text("realm: 42\nauth:\n  nonce_lifetime: 60\n  users:\n"
				   "    '1758:bob': 0x10\n    carol: \"no # comment\"\n"
				   "    \"\xc3\xa9\": yes\n",
				   &c),
			 0);
	assert_string_equal(c.realm, "42");
	assert_int_equal(c.auth.nonce_lifetime_s, 60);
	assert_int_equal(c.auth.user_count, 3);
	assert_string_equal(c.auth.users[0].name, "1758:bob");
	assert_string_equal(c.auth.users[0].password, "0x10");
	assert_string_equal(c.auth.users[1].password, "no # comment");
	assert_string_equal(c.auth.users[2].name, "\xc3\xa9");
	assert_string_equal(c.auth.users[2].password, "yes");
	config_free(&c);
}

static void peers_take_prefixes_and_single_addresses(void **state)
{
	char text[ADDR_TEXT_MAX];
	struct config c;

	(void)state;
	read_good("peers:\n  allow: [10.20.0.0/16, \"fd00::/8\"]\n  deny: [198.51.100.7]\n", &c);
	assert_int_equal(c.peers.allow_count, 2);
	assert_int_equal(c.peers.deny_count, 1);
	assert_string_equal(prefix_format(&c.peers.allow[0].prefix, text), "10.20.0.0/16");
	assert_string_equal(prefix_format(&c.peers.allow[1].prefix, text), "fd00::/8");
	assert_int_equal(c.peers.deny[0].prefix.len, 32);
	assert_int_equal(c.peers.deny[0].mark.line, 5);
	config_free(&c);
}

static void limits_take_their_smallest_and_largest_values(void **state)
{
	struct config c;

	(void)state;
	read_good("limits: {allocations: 1, allocations_per_user: 0, "
		  "permissions_per_allocation: 1024, channels_per_allocation: 1}\n",
		  &c);
	assert_int_equal(c.limits.allocations, 1);
	assert_int_equal(c.limits.allocations_per_user, 0);
	assert_int_equal(c.limits.permissions_per_allocation, 1024);
	assert_int_equal(c.limits.channels_per_allocation, 1);
	config_free(&c);
	read_good("limits: {allocations: 1000000, allocations_per_user: 1000000, "
		  "permissions_per_allocation: 1, channels_per_allocation: 1024}\n",
		  &c);
	assert_int_equal(c.limits.allocations, 1000000);
	assert_int_equal(c.limits.allocations_per_user, 1000000);
	assert_int_equal(c.limits.permissions_per_allocation, 1);
	assert_int_equal(c.limits.channels_per_allocation, 1024);
	config_free(&c);
}

static void rates_are_bits_per_second_with_units_of_thousands(void **state)
{
	static const struct {
		const char *yaml;
		uint64_t rate;
	} rows[] = {
		{"limits: {bandwidth_per_allocation: 0}\n", 0},
		{"limits: {bandwidth_per_allocation: 8000}\n", 8000},
		{"limits: {bandwidth_per_allocation: 500K}\n", 500000},
		{"limits: {bandwidth_per_allocation: 20M}\n", 20000000},
		{"limits: {bandwidth_per_allocation: 100G}\n", 100000000000},
	};
	struct config c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		read_good(rows[i].yaml, &c);
		assert_true(c.limits.bandwidth_per_allocation == rows[i].rate);
		config_free(&c);
	}
}

static void kernel_takes_each_mode_interfaces_and_a_path(void **state)
{
	static const char *const modes[] = {"off", "generic", "native", "auto"};
	struct config c;

	(void)state;
	for (int i = 0; i < (int)ARRAY_SIZE(modes); i++) {
		char text[128];

		snprintf(text, sizeof(text),
			 "kernel: {mode: %s, interfaces: [eth0, wan.7], pin_path: /bpf/t}\n",
			 modes[i]);
		read_good(text, &c);
		assert_int_equal(c.kernel.mode, i);
		assert_int_equal(c.kernel.interface_count, 2);
		assert_string_equal(c.kernel.interfaces[0].name, "eth0");
		assert_string_equal(c.kernel.interfaces[1].name, "wan.7");
		assert_int_equal(c.kernel.interfaces[1].mark.line, 3);
		assert_string_equal(c.kernel.pin_path, "/bpf/t");
		config_free(&c);
	}
}

static void control_log_and_workers_take_what_they_offer(void **state)
{
	struct config c;

	(void)state;
	read_good("control: {socket: /tmp/s}\nlog: {level: debug, format: json}\nworkers: 64\n",
		  &c);
	assert_string_equal(c.control.socket, "/tmp/s");
	assert_int_equal(c.log.level, LOG_LEVEL_DEBUG);
	assert_int_equal(c.log.format, LOG_FORMAT_JSON);
	assert_int_equal(c.workers, 64);
	config_free(&c);
	read_good("log: {level: error, format: text}\nworkers: 1\n", &c);
	assert_int_equal(c.log.level, LOG_LEVEL_ERROR);
	assert_int_equal(c.log.format, LOG_FORMAT_TEXT);
	assert_int_equal(c.workers, 1);
	config_free(&c);
}

static void sections_whose_keys_are_all_commented_out_are_fine(void **state)
{
	struct config c;

	(void)state;
	read_good("relay:\npeers: ~\nlimits: {}\nkernel:\n  # mode: off\nlog:\n", &c);
	assert_int_equal(c.kernel.mode, CONFIG_KERNEL_AUTO);
	config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(realm_and_one_user_are_enough_and_all_else_is_default),
		cmocka_unit_test(defaults_are_what_the_documentation_says),
		cmocka_unit_test(listen_keeps_order_and_marks_of_its_addresses),
		cmocka_unit_test(relay_takes_addresses_external_pairs_and_ports),
		cmocka_unit_test(external_may_name_a_listener_when_relay_addresses_are_left_out),
		cmocka_unit_test(relay_ports_may_hold_a_listeners_port_if_others_are_left),
		cmocka_unit_test(users_keep_their_text_whatever_yaml_would_make_of_it),
		cmocka_unit_test(peers_take_prefixes_and_single_addresses),
		cmocka_unit_test(limits_take_their_smallest_and_largest_values),
		cmocka_unit_test(rates_are_bits_per_second_with_units_of_thousands),
		cmocka_unit_test(kernel_takes_each_mode_interfaces_and_a_path),
		cmocka_unit_test(control_log_and_workers_take_what_they_offer),
		cmocka_unit_test(sections_whose_keys_are_all_commented_out_are_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
