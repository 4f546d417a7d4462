/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pin folder. See pins.h.
 */
#include "kernel/pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "kernel/problem.h"

#define LINK_PREFIX "link-"

/* Each time somebody made or removed the folder in between. */
#define HOLD_TRIES 16

/* 1, 0, or -errno if there is no such path. */
static int is_bpffs(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return -errno;
	return fs.f_type == BPF_FS_MAGIC;
}

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static int mount_bpffs(struct kernel_problem *ret_problem)
{
	int err;

	if (is_bpffs(PINS_BPFFS) == 1)
		return 0;
	if (mount("bpf", PINS_BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0) {
		log_info("kernel: mounted a bpffs path=%s", PINS_BPFFS);
		return 0;
	}
	err = -errno;
	return problem_set(ret_problem, err,
			   "no bpffs at " PINS_BPFFS
			   " and mounting one failed: %s. As root: mount -t "
			   "bpf bpf " PINS_BPFFS "; for a container, mount it from the host",
			   strerror(-err));
}

/* Makes all that is missing of the path. What is there already must be on a bpffs. */
static int make_folders(const char *folder, struct kernel_problem *ret_problem)
{
	char path[PATH_MAX];
	size_t len = strlen(folder);

	for (size_t end = 1; end <= len; end++) {
		int err;

		if (folder[end] != '/' && folder[end] != '\0')
			continue;
		snprintf(path, sizeof(path), "%.*s", (int)end, folder);
		if (access(path, F_OK) == 0)
			continue;
		/* Nothing is made where it could not serve: the parent must be on a bpffs. */
		snprintf(path, sizeof(path), "%.*s", (int)end, folder);
		*strrchr(path, '/') = '\0';
		if (is_bpffs(path[0] ? path : "/") != 1)
			return problem_set(
				ret_problem, -EINVAL,
				"kernel.pin_path %.100s is not on a bpffs: mount -t bpf bpf "
				"DIRECTORY, or use " PINS_BPFFS "/turnpike",
				folder);
		snprintf(path, sizeof(path), "%.*s", (int)end, folder);
		if (mkdir(path, 0700) < 0 && errno != EEXIST) {
			err = -errno;
			return problem_set(ret_problem, err,
					   "cannot make the pin folder %.100s: %s%s", path,
					   strerror(-err),
					   strchr(folder, '.') ? " (a bpffs takes no dots)" : "");
		}
	}
	return 0;
}

int pins_prepare(const char *folder, struct kernel_problem *ret_problem)
{
	int err = 0;

	/* Names of maps and links are added to it. */
	if (folder[0] != '/' || strlen(folder) >= PATH_MAX - 64)
		return problem_set(ret_problem, -EINVAL,
				   "kernel.pin_path %.100s: an absolute path is needed", folder);
	if (is_below(folder, PINS_BPFFS))
		err = mount_bpffs(ret_problem);
	if (!err)
		err = make_folders(folder, ret_problem);
	if (err)
		return err;
	if (is_bpffs(folder) != 1)
		return problem_set(ret_problem, -EINVAL,
				   "kernel.pin_path %.100s is not on a bpffs: mount -t bpf bpf "
				   "DIRECTORY, or use " PINS_BPFFS "/turnpike",
				   folder);
	return 0;
}

bool pins_are_held(const char *folder, int fd)
{
	struct stat held, there;

	return fd >= 0 && fstat(fd, &held) == 0 && stat(folder, &there) == 0 &&
	       held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

/* 0; -EAGAIN if the folder was removed in between; -errno and a problem. */
static int hold_once(const char *folder, int *ret_fd, struct kernel_problem *ret_problem)
{
	_cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (fd < 0 && errno == ENOENT)
		return -EAGAIN;
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
		err = -errno;
		if (err == -EWOULDBLOCK)
			return problem_set(ret_problem, -EBUSY,
					   "kernel.pin_path %.100s: another turnpiked uses it: "
					   "give this one its own kernel.pin_path",
					   folder);
		return problem_set(ret_problem, err, "cannot lock the pin folder %.100s: %s",
				   folder, strerror(-err));
	}
	/* Its last holder may have removed it before it let go. */
	if (!pins_are_held(folder, fd))
		return -EAGAIN;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int pins_hold(const char *folder, int *ret_fd, struct kernel_problem *ret_problem)
{
	for (int i = 0; i < HOLD_TRIES; i++) {
		int err = pins_prepare(folder, ret_problem);

		if (!err)
			err = hold_once(folder, ret_fd, ret_problem);
		if (err != -EAGAIN)
			return err;
	}
	return problem_set(ret_problem, -EBUSY,
			   "somebody makes and removes kernel.pin_path %.100s again and again: "
			   "give this turnpiked its own kernel.pin_path",
			   folder);
}

int pins_path(const char *folder, const char *name, char ret[static PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/%s", folder, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int pins_link_path(const char *folder, const char *ifname, char ret[static PATH_MAX])
{
	char name[sizeof(LINK_PREFIX) + IF_NAMESIZE];
	char *dot;

	snprintf(name, sizeof(name), LINK_PREFIX "%.15s", ifname);
	/* No interface's name has a colon. */
	while ((dot = strchr(name, '.')))
		*dot = ':';
	return pins_path(folder, name, ret);
}

int pins_replace(const char *folder, const char *name, int fd)
{
	char path[PATH_MAX];
	int err = pins_path(folder, name, path);

	if (err)
		return err;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	return bpf_obj_pin(fd, path);
}

void pins_remove(const char *folder, const char *name)
{
	char path[PATH_MAX];

	if (pins_path(folder, name, path) == 0)
		unlink(path);
}

void pins_remove_folder(const char *folder)
{
	rmdir(folder);
}

void pins_each_link(const char *folder, void (*each)(void *ctx, const char *path), void *ctx)
{
	char path[PATH_MAX];
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, LINK_PREFIX, strlen(LINK_PREFIX)) == 0 &&
		    pins_path(folder, entry->d_name, path) == 0)
			each(ctx, path);
	closedir(dir);
}
