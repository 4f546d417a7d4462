/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What turnpikectl prints for canned answers, and its exit statuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "control/commands.h"
#include "turnpikectl/render.h"
#include "turnpikectl/run.h"
#include "turnpikectl/table.h"

static void expect_rendered(renderer render, const char *json, bool all, const char *expected)
{
	const struct render_options options = {.all = all};
	_cleanup_free_ char *text = NULL;
	json_error_t error;
	json_t *result = json_loads(json, 0, &error);
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!result)
		fail_msg("%s at %d", error.text, error.position);
	render(result, &options, out);
	fclose(out);
	json_decref(result);
	assert_string_equal(text, expected);
}

static void bytes_and_seconds_are_rounded_for_people(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {{0, "0 B"},
		     {1023, "1023 B"},
		     {1024, "1.0 KiB"},
		     {1536, "1.5 KiB"},
		     {1048575, "1.0 MiB"},
		     {1 << 20, "1.0 MiB"},
		     {UINT64_MAX, "16.0 EiB"}};
	static const struct {
		uint64_t seconds;
		const char *text;
	} times[] = {{0, "0s"},	       {59, "59s"},	   {60, "1m 00s"},   {3599, "59m 59s"},
		     {3600, "1h 00m"}, {86399, "23h 59m"}, {90000, "1d 01h"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		assert_string_equal(BYTES_TEXT(sizes[i].bytes), sizes[i].text);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		assert_string_equal(SECONDS_TEXT(times[i].seconds), times[i].text);
}

static void tables_align_by_characters_and_end_no_line_in_spaces(void **state)
{
	struct table table _cleanup_table_ = {0};
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	table_begin(&table, "NAME|>N|WHY");
	table_print(&table, out);
	fflush(out);
	assert_int_equal(len, 0);
	table_add(&table, "%s", "\xc3\xa9t\xc3\xa9");
	table_add(&table, "%d", 7);
	table_add(&table, "%s", "x");
	table_add(&table, "%s", "longer");
	table_add(&table, "%d", 12345);
	table_add(&table, "%s", "because");
	table_print(&table, out);
	fclose(out);
	assert_string_equal(text, "NAME        N  WHY\n"
				  "\xc3\xa9t\xc3\xa9         7  x\n"
				  "longer  12345  because\n");
}

static void status_is_one_page(void **state)
{
	(void)state;
	expect_rendered(
		render_status,
		"{\"protocol\": 1, \"version\": \"0.1.0\", \"pid\": 42, \"uptime_s\": 11045,"
		" \"workers\": 2, \"realm\": \"example.org\","
		" \"listeners\": [{\"transport\": \"udp\", \"address\": \"192.0.2.1:3478\"},"
		"  {\"transport\": \"udp\", \"address\": \"[2001:db8::1]:3478\"}],"
		" \"relay\": {\"addresses\": [{\"internal\": \"192.0.2.1\", \"external\":"
		"  \"203.0.113.7\"}, {\"internal\": \"2001:db8::1\", \"external\":"
		"  \"2001:db8::1\"}], \"first_port\": 49152, \"last_port\": 65535},"
		" \"kernel\": {\"mode\": \"native\", \"reason\": \"\","
		"  \"pin_path\": \"/sys/fs/bpf/turnpike\", \"interfaces\": ["
		"  {\"name\": \"eth0\", \"ifindex\": 2, \"mode\": \"native\", \"reason\": \"\"},"
		"  {\"name\": \"wan\", \"ifindex\": 13, \"mode\": \"generic\", \"reason\":"
		"   \"the driver refuses: LRO is on\"}], \"flows\": {\"used\": 24, \"size\": 200}},"
		" \"allocations\": {\"current\": 12, \"limit\": 100000}}",
		false,
		"turnpiked    0.1.0, process 42, up 3h 04m, workers 2\n"
		"realm        example.org\n"
		"listening    udp 192.0.2.1:3478\n"
		"             udp [2001:db8::1]:3478\n"
		"relaying on  192.0.2.1 (seen as 203.0.113.7)\n"
		"             2001:db8::1\n"
		"ports        49152-65535\n"
		"allocations  12 of 100000\n"
		"kernel path  native\n"
		"flows        24 of 200, pinned under /sys/fs/bpf/turnpike\n"
		"\n"
		"INTERFACE  INDEX  MODE     WHY\n"
		"eth0           2  native   -\n"
		"wan           13  generic  the driver refuses: LRO is on\n");
}

static void a_kernel_path_that_is_off_says_why(void **state)
{
	(void)state;
	expect_rendered(render_status,
			"{\"kernel\": {\"mode\": \"off\", \"reason\": \"no CAP_BPF\"}}", false,
			"turnpiked    -, process 0, up 0s, workers 0\n"
			"realm        -\n"
			"ports        0-0\n"
			"allocations  0 of 0\n"
			"kernel path  off: no CAP_BPF\n");
}

static const char counters[] =
	"{\"daemon\": {\"received\": {\"value\": 70, \"help\": \"datagrams read\"},"
	"  \"errors\": {\"value\": 0, \"help\": \"what failed\"}},"
	" \"kernel\": {\"to_peer\": {\"kind\": \"carried\", \"packets\": 1000,"
	"   \"bytes\": 1228800, \"help\": \"relayed\"},"
	"  \"ttl\": {\"kind\": \"passed\", \"packets\": 0, \"bytes\": 0, \"help\": \"used up\"}}}";

static void stats_shows_what_is_not_zero_and_counts_the_rest(void **state)
{
	(void)state;
	expect_rendered(render_stats, counters, false,
			"KERNEL   KIND     PACKETS    BYTES  MEANING\n"
			"to_peer  carried     1000  1.2 MiB  relayed\n"
			"\n"
			"DAEMON    VALUE  MEANING\n"
			"received     70  datagrams read\n"
			"\n"
			"2 counters are zero; --all shows them\n");
}

static void stats_shows_all_if_asked_and_nothing_of_nothing(void **state)
{
	(void)state;
	expect_rendered(render_stats, counters, true,
			"KERNEL   KIND     PACKETS    BYTES  MEANING\n"
			"to_peer  carried     1000  1.2 MiB  relayed\n"
			"ttl      passed         0      0 B  used up\n"
			"\n"
			"DAEMON    VALUE  MEANING\n"
			"received     70  datagrams read\n"
			"errors        0  what failed\n"
			"\n");
	expect_rendered(render_stats, "{}", false, "");
}

static void allocations_show_traffic_channels_and_permissions(void **state)
{
	(void)state;
	expect_rendered(
		render_allocations,
		"{\"allocations\": [{\"worker\": 1, \"id\": 7, \"user\": \"alice\","
		" \"transport\": \"udp\", \"client\": \"198.51.100.4:5000\","
		" \"server\": \"192.0.2.1:3478\","
		" \"relayed\": [\"203.0.113.7:49160\", \"[2001:db8::1]:49160\"],"
		" \"age_s\": 245.217, \"expires_s\": 355.9,"
		" \"permissions\": [{\"peer\": \"203.0.113.9\", \"expires_s\": 241.5}],"
		" \"channels\": [{\"number\": \"0x4000\", \"peer\": \"203.0.113.9:6000\","
		"  \"expires_s\": 541.001, \"path\": \"kernel\","
		"  \"to_peer\": {\"packets\": 990, \"bytes\": 99000},"
		"  \"to_client\": {\"packets\": 5, \"bytes\": 500}}],"
		" \"daemon\": {\"to_peer\": {\"packets\": 5, \"bytes\": 500},"
		"  \"to_client\": {\"packets\": 0, \"bytes\": 0}},"
		" \"kernel\": {\"to_peer\": {\"packets\": 990, \"bytes\": 99000},"
		"  \"to_client\": {\"packets\": 5, \"bytes\": 500}}}]}",
		false,
		"1 allocation, traffic as packets / bytes\n"
		"\n"
		"ID   USER   CLIENT                 RELAYED                                 "
		"   AGE  EXPIRES  KERNEL TO PEER  TO CLIENT  DAEMON TO PEER  TO CLIENT  BY KERNEL\n"
		"1/7  alice  udp 198.51.100.4:5000  203.0.113.7:49160, [2001:db8::1]:49160  "
		"4m 05s   5m 55s  990 / 96.7 KiB  5 / 500 B       5 / 500 B    0 / 0 B     99.5 %\n"
		"\n"
		"ID   CHANNEL  PEER              EXPIRES  PATH           TO PEER  TO CLIENT\n"
		"1/7  0x4000   203.0.113.9:6000   9m 01s  kernel  990 / 96.7 KiB  5 / 500 B\n"
		"\n"
		"ID   PERMISSION   EXPIRES\n"
		"1/7  203.0.113.9   4m 01s\n");
	expect_rendered(render_allocations, "{\"allocations\": []}", false,
			"0 allocations, traffic as packets / bytes\n");
}

/* Runs the program with words; its output and errors end up in one text. */
static int run_words(const char *const words[], char *ret, size_t size)
{
	char *argv[8] = {(char[]){"turnpikectl"}};
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int argc = 1, status;

	for (; words[argc - 1]; argc++)
		argv[argc] = strdup(words[argc - 1]);
	status = run(argc, argv, out, out);
	fclose(out);
	for (int i = 1; i < argc; i++)
		free(argv[i]);
	snprintf(ret, size, "%s", text);
	return status;
}

static void mistakes_in_the_command_line_exit_with_2_and_say_what_is_allowed(void **state)
{
	static const struct {
		const char *words[4], *output;
	} rows[] = {
		{{NULL}, "no command; give one command of: status, stats, allocations\n"},
		{{"status", "stats", NULL},
		 "too many words; give one command of: status, stats, allocations\n"},
		{{"stop", NULL},
		 "there is no command \"stop\"; allowed: status, stats, allocations\n"},
		{{"status", "--socket", NULL},
		 "--socket: unknown option, or without its value; see turnpikectl --help\n"},
		{{"--colour", "status", NULL},
		 "--colour: unknown option, or without its value; see turnpikectl --help\n"},
	};
	char output[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(run_words(rows[i].words, output, sizeof(output)), RUN_USAGE);
		assert_int_equal(strncmp(output, "turnpikectl: ", 13), 0);
		assert_string_equal(output + 13, rows[i].output);
	}
}

static void help_and_version_exit_with_0(void **state)
{
	char output[2048];

	(void)state;
	assert_int_equal(run_words((const char *[]){"-V", NULL}, output, sizeof(output)), RUN_OK);
	assert_string_equal(output, "turnpikectl " TURNPIKE_VERSION "\n");
	assert_int_equal(run_words((const char *[]){"--help", NULL}, output, sizeof(output)),
			 RUN_OK);
	for (int i = 0; i < CONTROL_COMMAND_MAX; i++)
		assert_non_null(strstr(output, control_command_help((enum control_command)i)));
}

static void no_daemon_exits_with_1_and_names_socket_and_remedy(void **state)
{
	char output[1024];

	(void)state;
	assert_int_equal(run_words((const char *[]){"status", "-s", "/nonexistent/s", NULL}, output,
				   sizeof(output)),
			 RUN_NO_ANSWER);
	assert_string_equal(
		output, "turnpikectl: /nonexistent/s: no turnpiked is running there; start it "
			"with turnpiked --config FILE, or name its socket with --socket PATH\n");
}

struct server {
	int listener;
	const char *answer;
};

static void *play_server(void *arg)
{
	struct server *server = arg;
	_cleanup_close_ int fd = accept(server->listener, NULL, NULL);
	char request[128];

	(void)!recv(fd, request, sizeof(request), 0);
	(void)!send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL);
	return NULL;
}

static void answers_are_printed_as_text_or_json_and_refusals_exit_with_1(void **state)
{
	static const struct {
		const char *answer, *option;
		int status;
		const char *output;
	} rows[] = {
		{"{\"ok\":true,\"result\":{\"allocations\":[]}}\n", "--all", RUN_OK,
		 "0 allocations, traffic as packets / bytes\n"},
		{"{\"ok\":true,\"result\":{\"allocations\":[]}}\n", "--json", RUN_OK,
		 "{\n  \"allocations\": []\n}\n"},
		{"{\"ok\":false,\"error\":\"busy\"}\n", "--json", RUN_NO_ANSWER,
		 "turnpikectl: PATH: turnpiked refused: busy\n"},
	};
	char folder[] = "/tmp/tp-control-XXXXXX", path[64], output[1024], expected[1024];
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	_cleanup_close_ int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	assert_int_equal(bind(listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(listener, 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct server server = {.listener = listener, .answer = rows[i].answer};
		const char *words[] = {"allocations", rows[i].option, "--socket", path, NULL};
		const char *mark = strstr(rows[i].output, "PATH");
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, play_server, &server), 0);
		int status = run_words(words, output, sizeof(output));

		pthread_join(thread, NULL);
		snprintf(expected, sizeof(expected), "%.*s%s%s",
			 mark ? (int)(mark - rows[i].output) : 0, rows[i].output, mark ? path : "",
			 mark ? mark + 4 : rows[i].output);
		assert_string_equal(output, expected);
		assert_int_equal(status, rows[i].status);
	}
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_and_seconds_are_rounded_for_people),
		cmocka_unit_test(tables_align_by_characters_and_end_no_line_in_spaces),
		cmocka_unit_test(status_is_one_page),
		cmocka_unit_test(a_kernel_path_that_is_off_says_why),
		cmocka_unit_test(stats_shows_what_is_not_zero_and_counts_the_rest),
		cmocka_unit_test(stats_shows_all_if_asked_and_nothing_of_nothing),
		cmocka_unit_test(allocations_show_traffic_channels_and_permissions),
		cmocka_unit_test(mistakes_in_the_command_line_exit_with_2_and_say_what_is_allowed),
		cmocka_unit_test(help_and_version_exit_with_0),
		cmocka_unit_test(no_daemon_exits_with_1_and_names_socket_and_remedy),
		cmocka_unit_test(answers_are_printed_as_text_or_json_and_refusals_exit_with_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
