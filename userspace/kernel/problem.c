/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sentences about the kernel path. See problem.h.
 */
#include "kernel/problem.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

/*
 * libbpf's print callback has no context to hang this from, and part of the logger it is. The
 * first warning is kept, not the last: it is nearest to the cause.
 */
static __thread char first_warning[160];

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char text[4096];
	char *rest = text, *line;

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(text, sizeof(text), format, arguments);
	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		if (level == LIBBPF_WARN && !*first_warning)
			snprintf(first_warning, sizeof(first_warning), "%s", line);
		log_debug("kernel: %s", line);
	}
	return 0;
}

void problem_listen_to_libbpf(void)
{
	*first_warning = '\0';
	libbpf_set_print(print_libbpf);
}

int problem_set(struct kernel_problem *problem, int err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem->text, sizeof(problem->text), format, arguments);
	va_end(arguments);
	return err;
}

void problem_missing_capabilities(char *ret, size_t size)
{
	static const struct {
		unsigned int number;
		const char *name;
	} needed[] = {{CAP_BPF, "CAP_BPF"},
		      {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
		      {CAP_PERFMON, "CAP_PERFMON"}};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	size_t len = 0;

	ret[0] = '\0';
	if (syscall(SYS_capget, &header, data) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		unsigned int number = needed[i].number;
		bool admin_will_do = number != CAP_NET_ADMIN &&
				     (data[0].effective & CAP_TO_MASK(CAP_SYS_ADMIN));

		if ((data[CAP_TO_INDEX(number)].effective & CAP_TO_MASK(number)) || admin_will_do)
			continue;
		len += (size_t)snprintf(ret + len, size - len, "%s%s", len ? ", " : "",
					needed[i].name);
		if (len >= size)
			return;
	}
}

static int not_permitted(struct kernel_problem *problem, int err)
{
	char missing[64];

	problem_missing_capabilities(missing, sizeof(missing));
	if (!missing[0])
		return problem_set(
			problem, err,
			"the kernel forbids bpf() although no capability is missing: look at "
			"lockdown, seccomp or the container's settings (%s)",
			first_warning);
	return problem_set(problem, err,
			   "loading the XDP program is not permitted, missing: %s. Run as root, or "
			   "grant CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
			   missing);
}

/*
 * The verifier's reason is the last line of its log before those that begin with a statistic; the
 * size of a program that is too large stands in its reason.
 */
static void last_reason(const char *verifier, char *ret, size_t size)
{
	static const char *const statistics[] = {"processed ", "verification time ",
						 "stack depth "};

	snprintf(ret, size, "no reason");
	while (*verifier) {
		int len = (int)strcspn(verifier, "\n");
		bool counts = len > 0;

		for (size_t i = 0; i < ARRAY_SIZE(statistics); i++)
			if (strncmp(verifier, statistics[i], strlen(statistics[i])) == 0)
				counts = false;
		if (counts)
			snprintf(ret, size, "%.*s", len, verifier);
		verifier += len + (verifier[len] == '\n');
	}
}

static int refused(struct kernel_problem *problem, int err, const char *verifier)
{
	struct utsname host = {.release = "?"};
	char reason[100];

	uname(&host);
	last_reason(verifier, reason, sizeof(reason));
	return problem_set(problem, err,
			   "the verifier of kernel %.40s refused the XDP program: %s (%s)%s",
			   host.release, reason, strerror(-err),
			   err == -E2BIG ? "; a later kernel may take it" : "");
}

int problem_of_load(struct kernel_problem *problem, int err, uint32_t slots, const char *verifier)
{
	struct utsname host = {.release = "?"};
	char missing[64];

	problem_missing_capabilities(missing, sizeof(missing));
	if (err == -EPERM || (err == -EACCES && missing[0]))
		return not_permitted(problem, err);
	if (*verifier)
		return refused(problem, err, verifier);
	if (err == -ENOMEM || err == -E2BIG)
		return problem_set(problem, err,
				   "the kernel has no memory for maps of %u flows: lower "
				   "limits.allocations",
				   slots);
	uname(&host);
	return problem_set(
		problem, err,
		"kernel %.40s refused the XDP program%s: %s (%s); 5.15 or later is needed",
		host.release, access("/sys/kernel/btf/vmlinux", R_OK) ? ", and it has no BTF" : "",
		strerror(-err), first_warning);
}

static void driver_name(const char *ifname, char ret[static ETHTOOL_BUSINFO_LEN])
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (char *)&info};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
	if (fd >= 0 && ioctl(fd, SIOCETHTOOL, &request) == 0 && info.driver[0])
		snprintf(ret, ETHTOOL_BUSINFO_LEN, "%.31s", info.driver);
	else
		snprintf(ret, ETHTOOL_BUSINFO_LEN, "unknown");
}

static const char *native_remedy(int err)
{
	switch (-err) {
	case EOPNOTSUPP:
		return "it has no native XDP, or not with LRO, header split or these rings "
		       "(ethtool -K "
		       "DEV lro off)";
	case EINVAL:
	case ERANGE:
	case EMSGSIZE:
	case E2BIG:
		return "the MTU may be too large for it (ip link set DEV mtu 1500), or LRO on "
		       "(ethtool -K "
		       "DEV lro off)";
	case ENOMEM:
	case ENOSPC:
	case EBUSY:
		return "it may lack queues or memory (ethtool -L DEV combined N with half of them, "
		       "ethtool -G for smaller rings)";
	default:
		return "the kernel log may say why";
	}
}

void problem_of_native(const char *ifname, int err, char *ret, size_t size)
{
	char driver[ETHTOOL_BUSINFO_LEN];

	driver_name(ifname, driver);
	snprintf(ret, size, "driver %s refused native XDP: %s; %s", driver, strerror(-err),
		 native_remedy(err));
}

void problem_of_attach(const char *mode, int err, char *ret, size_t size)
{
	char missing[64];

	problem_missing_capabilities(missing, sizeof(missing));
	if (err == -EPERM && missing[0])
		snprintf(ret, size, "attaching is not permitted, missing: %s", missing);
	else
		snprintf(ret, size, "%s XDP failed: %s", mode, strerror(-err));
}

/* Needs CAP_SYS_ADMIN, which a daemon in its systemd unit lacks. 0 or -errno. */
static int program_name(uint32_t id, char ret[static BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {0};
	_cleanup_close_ int fd = -1;
	__u32 len = sizeof(info);
	int err = bpf_prog_get_fd_by_id(id);

	if (err < 0)
		return err;
	fd = err;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (!err)
		snprintf(ret, BPF_OBJ_NAME_LEN, "%s", info.name[0] ? info.name : "(none)");
	return err;
}

void problem_of_other_program(uint32_t id, char *ret, size_t size)
{
	char name[BPF_OBJ_NAME_LEN];
	int err = program_name(id, name);

	if (err)
		snprintf(ret, size,
			 "another XDP program is attached: id %u, its name cannot be read: %s "
			 "(bpftool prog show id %u); it is left alone",
			 id, strerror(-err), id);
	else
		snprintf(ret, size,
			 "another XDP program is attached: id %u, name %s (bpftool net); it is "
			 "left alone",
			 id, name);
}
