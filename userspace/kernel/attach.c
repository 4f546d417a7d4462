/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces of the kernel path. See attach.h.
 */
#include "kernel/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "kernel/folder.h"
#include "kernel/pins.h"
#include "kernel/problem.h"
#include "kernel/publish.h"
#include "kernel/state.h"
#include "turnpike.skel.h"

/* Detaches at once: unlinking a pin alone would do so later, from a work queue. */
static void drop_link(const struct kernel *kernel, struct kernel_link *link)
{
	if (link->fd < 0)
		return;
	bpf_link_detach(link->fd);
	if (link->pin[0] && folder_is_ours(kernel))
		unlink(link->pin);
	cleanup_close(&link->fd);
}

/* The index is one of the network namespace that the interface is in, which may not be ours. */
static int link_where(int fd, unsigned int *ret_ifindex, uint32_t *ret_program)
{
	struct bpf_link_info info = {0};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	/* Index 0: the interface is gone. */
	if (info.type != BPF_LINK_TYPE_XDP || !info.xdp.ifindex)
		return -ENODEV;
	*ret_ifindex = info.xdp.ifindex;
	*ret_program = info.prog_id;
	return 0;
}

/* If that interface of this network namespace carries that program; ids of programs are global. */
static bool is_here(unsigned int ifindex, uint32_t program)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	return bpf_xdp_query((int)ifindex, 0, &query) == 0 &&
	       (query.prog_id == program || query.drv_prog_id == program ||
		query.hw_prog_id == program || query.skb_prog_id == program);
}

/*
 * The pin goes, the link stays for as long as its descriptor is open: names are given anew when
 * interfaces are asked for, under the names they have by then. One that leads to another network
 * namespace must not be taken for an interface here that has the same index. It is detached: the
 * folder is ours, so its daemon is dead, and without its pin nobody could ever let go of it.
 */
static void inherit_one(void *ctx, const char *path)
{
	struct kernel *kernel = ctx;
	_cleanup_close_ int fd = bpf_obj_get(path);
	struct kernel_link *links;
	unsigned int ifindex = 0;
	uint32_t program = 0;

	unlink(path);
	if (fd < 0 || link_where(fd, &ifindex, &program) < 0)
		return;
	if (!is_here(ifindex, program)) {
		log_info("kernel: let go of a dead daemon's interface of another network "
			 "namespace ifindex=%u",
			 ifindex);
		bpf_link_detach(fd);
		return;
	}
	links = reallocarray(kernel->inherited, kernel->inherited_count + 1, sizeof(*links));
	if (!links)
		return;
	kernel->inherited = links;
	links[kernel->inherited_count++] = (struct kernel_link){.fd = TAKE_FD(fd),
								.ifindex = ifindex};
}

void attach_inherit(struct kernel *kernel)
{
	pins_each_link(kernel->pin_path, inherit_one, kernel);
}

void kernel_attach_done(struct kernel *kernel)
{
	for (size_t i = 0; i < kernel->inherited_count; i++) {
		if (kernel->inherited[i].fd >= 0)
			log_info("kernel: let go of an earlier daemon's interface ifindex=%u",
				 kernel->inherited[i].ifindex);
		drop_link(kernel, &kernel->inherited[i]);
	}
	free(kernel->inherited);
	kernel->inherited = NULL;
	kernel->inherited_count = 0;
}

static void forget_all(struct kernel *kernel)
{
	free(kernel->links);
	free(kernel->attachments);
	kernel->links = NULL;
	kernel->attachments = NULL;
	kernel->attachment_count = 0;
}

void attach_release_all(struct kernel *kernel)
{
	kernel_attach_done(kernel);
	for (size_t i = 0; i < kernel->attachment_count; i++)
		drop_link(kernel, &kernel->links[i]);
	forget_all(kernel);
}

void attach_leave_all(struct kernel *kernel)
{
	kernel_attach_done(kernel);
	for (size_t i = 0; i < kernel->attachment_count; i++)
		cleanup_close(&kernel->links[i].fd);
	forget_all(kernel);
}

size_t kernel_attachments(const struct kernel *kernel, const struct kernel_attachment **ret)
{
	*ret = kernel->attachments;
	return kernel->attachment_count;
}

static int program_fd(const struct kernel *kernel)
{
	return bpf_program__fd(kernel->program->progs.turnpike_xdp);
}

static struct kernel_link *find_inherited(struct kernel *kernel, unsigned int ifindex)
{
	for (size_t i = 0; i < kernel->inherited_count; i++)
		if (kernel->inherited[i].fd >= 0 && kernel->inherited[i].ifindex == ifindex)
			return &kernel->inherited[i];
	return NULL;
}

/* The mode of the program on an interface, OFF if there is none; its id. */
static enum kernel_mode attached_mode(unsigned int ifindex, uint32_t *ret_program)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	*ret_program = 0;
	if (bpf_xdp_query((int)ifindex, 0, &query) < 0 || query.attach_mode == XDP_ATTACHED_NONE)
		return KERNEL_MODE_OFF;
	*ret_program = query.prog_id	   ? query.prog_id
		       : query.drv_prog_id ? query.drv_prog_id
		       : query.hw_prog_id  ? query.hw_prog_id
					   : query.skb_prog_id;
	return query.attach_mode == XDP_ATTACHED_SKB ? KERNEL_MODE_GENERIC : KERNEL_MODE_NATIVE;
}

/*
 * An earlier daemon's link gets the new program in one step, without a packet in between that
 * meets neither. What the program needs to carry packets out by this interface is there before.
 * A link of another mode than is wanted is let go of, and so is a generic one where the driver may
 * have learned better. Returns 0 if the link was taken over.
 */
static int take_over(struct kernel *kernel, struct kernel_attachment *attachment,
		     struct kernel_link *link)
{
	struct kernel_link *old = find_inherited(kernel, link->ifindex);
	enum kernel_mode wanted = kernel->options.mode, mode;
	uint32_t program;

	if (!old)
		return -ENOENT;
	mode = attached_mode(link->ifindex, &program);
	if (wanted == KERNEL_MODE_AUTO)
		wanted = KERNEL_MODE_NATIVE;
	if (mode != wanted || bpf_obj_pin(old->fd, link->pin) < 0) {
		drop_link(kernel, old);
		return -ENOENT;
	}
	link->fd = TAKE_FD(old->fd);
	attachment->mode = mode;
	publish_interfaces(kernel);
	if (mode == KERNEL_MODE_GENERIC)
		kernel->program->bss->generic = true;
	if (bpf_link_update(link->fd, program_fd(kernel), NULL) < 0) {
		drop_link(kernel, link);
		attachment->mode = KERNEL_MODE_OFF;
		return -ENOENT;
	}
	return 0;
}

static int create_link(struct kernel *kernel, struct kernel_link *link, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
	_cleanup_close_ int fd = bpf_link_create(program_fd(kernel), (int)link->ifindex, BPF_XDP,
						 &options);
	int err = fd;

	if (fd < 0) {
		fd = -1;
		return err;
	}
	err = bpf_obj_pin(fd, link->pin);
	if (err < 0) {
		bpf_link_detach(fd);
		return err;
	}
	link->fd = TAKE_FD(fd);
	return 0;
}

static int attach_generic(struct kernel *kernel, struct kernel_attachment *attachment,
			  struct kernel_link *link)
{
	int err;

	/* Before the first packet comes; it stays, since native interfaces lose only speed by it.
	 */
	kernel->program->bss->generic = true;
	err = create_link(kernel, link, XDP_FLAGS_SKB_MODE);
	if (err)
		problem_of_attach("generic", err, attachment->reason, sizeof(attachment->reason));
	else
		attachment->mode = KERNEL_MODE_GENERIC;
	return err;
}

static int attach_native(struct kernel *kernel, struct kernel_attachment *attachment,
			 struct kernel_link *link)
{
	int err = create_link(kernel, link, XDP_FLAGS_DRV_MODE);

	if (err == -EPERM)
		problem_of_attach("native", err, attachment->reason, sizeof(attachment->reason));
	else if (err)
		problem_of_native(attachment->name, err, attachment->reason,
				  sizeof(attachment->reason));
	else
		attachment->mode = KERNEL_MODE_NATIVE;
	return err;
}

static int attach_new(struct kernel *kernel, struct kernel_attachment *attachment,
		      struct kernel_link *link)
{
	uint32_t program;
	int err;

	attached_mode(link->ifindex, &program);
	link->blocked = program != 0;
	if (program) {
		problem_of_other_program(program, attachment->reason, sizeof(attachment->reason));
		return -EBUSY;
	}
	if (kernel->options.mode == KERNEL_MODE_GENERIC)
		return attach_generic(kernel, attachment, link);
	err = attach_native(kernel, attachment, link);
	if (err && err != -EPERM && kernel->options.mode == KERNEL_MODE_AUTO) {
		char why[sizeof(attachment->reason)];

		/* If generic works the reason stays: it says why it is not native. */
		memcpy(why, attachment->reason, sizeof(why));
		err = attach_generic(kernel, attachment, link);
		if (!err)
			memcpy(attachment->reason, why, sizeof(why));
	}
	return err;
}

static struct kernel_attachment *find_attachment(struct kernel *kernel, const char *ifname)
{
	for (size_t i = 0; i < kernel->attachment_count; i++)
		if (strcmp(kernel->attachments[i].name, ifname) == 0)
			return &kernel->attachments[i];
	return NULL;
}

/* A record of the interface, whatever becomes of it. */
static struct kernel_attachment *add_attachment(struct kernel *kernel, const char *ifname)
{
	struct kernel_attachment *found = find_attachment(kernel, ifname), *attachments;
	size_t count = kernel->attachment_count + 1;
	struct kernel_link *links;

	if (found)
		return found;
	attachments = reallocarray(kernel->attachments, count, sizeof(*attachments));
	if (!attachments)
		return NULL;
	kernel->attachments = attachments;
	links = reallocarray(kernel->links, count, sizeof(*links));
	if (!links)
		return NULL;
	kernel->links = links;
	found = &attachments[count - 1];
	*found = (struct kernel_attachment){0};
	snprintf(found->name, sizeof(found->name), "%s", ifname);
	links[count - 1] = (struct kernel_link){.fd = -1};
	kernel->attachment_count = count;
	return found;
}

/* A pin folder that somebody removed is made again, and what was pinned is pinned again. */
static int keep_folder(struct kernel *kernel, struct kernel_attachment *attachment)
{
	struct kernel_problem problem = {""};
	int err;

	if (folder_is_ours(kernel))
		return 0;
	err = folder_take(kernel, &problem);
	if (err) {
		snprintf(attachment->reason, sizeof(attachment->reason), "%s", problem.text);
		return err;
	}
	for (size_t i = 0; i < kernel->attachment_count; i++)
		if (kernel->links[i].fd >= 0)
			bpf_obj_pin(kernel->links[i].fd, kernel->links[i].pin);
	log_warning("kernel: the pin folder had vanished and was made again path=%s",
		    kernel->pin_path);
	return 0;
}

static int attach(struct kernel *kernel, struct kernel_attachment *attachment,
		  struct kernel_link *link)
{
	int err;

	attachment->mode = KERNEL_MODE_OFF;
	attachment->reason[0] = '\0';
	attachment->ifindex = link->ifindex = if_nametoindex(attachment->name);
	if (kernel_is_null(kernel)) {
		snprintf(attachment->reason, sizeof(attachment->reason), "the kernel path is off");
		return -EOPNOTSUPP;
	}
	if (!link->ifindex) {
		snprintf(attachment->reason, sizeof(attachment->reason),
			 "no such interface: create it, or correct kernel.interfaces; it is "
			 "attached when it appears");
		return -ENODEV;
	}
	err = keep_folder(kernel, attachment);
	if (!err)
		err = pins_link_path(kernel->pin_path, attachment->name, link->pin);
	if (err)
		return err;
	if (take_over(kernel, attachment, link) == 0)
		return 0;
	return attach_new(kernel, attachment, link);
}

int kernel_attach(struct kernel *kernel, const char *ifname, struct kernel_attachment *ret)
{
	struct kernel_attachment *attachment;
	struct kernel_link *link;
	int err;

	*ret = (struct kernel_attachment){.mode = KERNEL_MODE_OFF};
	snprintf(ret->name, sizeof(ret->name), "%s", ifname);
	if (strlen(ifname) >= IF_NAMESIZE) {
		snprintf(ret->reason, sizeof(ret->reason),
			 "no such interface: a name has at most %d characters; correct "
			 "kernel.interfaces",
			 IF_NAMESIZE - 1);
		return -ENODEV;
	}
	attachment = add_attachment(kernel, ifname);
	if (!attachment) {
		snprintf(ret->reason, sizeof(ret->reason), "out of memory");
		return -ENOMEM;
	}
	link = &kernel->links[attachment - kernel->attachments];
	/* Asked twice, it is attached once. */
	err = link->fd >= 0 ? 0 : attach(kernel, attachment, link);
	if (!err)
		publish_interfaces(kernel);
	*ret = *attachment;
	return err;
}

/* It vanished, or its name is another's or nobody's now. */
static bool is_lost(const struct kernel_attachment *attachment, const struct kernel_link *link)
{
	unsigned int ifindex = 0;
	uint32_t program;

	return link->fd >= 0 && (link_where(link->fd, &ifindex, &program) < 0 ||
				 ifindex != if_nametoindex(attachment->name));
}

/*
 * A driver that refused is not asked again, which might reset its rings each time; only an
 * interface that is a new one, or whose other program may be gone.
 */
static bool is_worth_a_try(const struct kernel_attachment *attachment,
			   const struct kernel_link *link)
{
	unsigned int ifindex = if_nametoindex(attachment->name);

	return link->fd < 0 && (ifindex != link->ifindex || (ifindex && link->blocked));
}

static bool refresh(struct kernel *kernel, struct kernel_attachment *attachment,
		    struct kernel_link *link)
{
	bool lost = is_lost(attachment, link), was_blocked = link->blocked;
	int err;

	if (lost) {
		log_warning("kernel: lost interface=%s", attachment->name);
		drop_link(kernel, link);
		link->ifindex = UINT_MAX; /* whatever has the name now is tried */
	}
	if (!is_worth_a_try(attachment, link))
		return lost;
	err = attach(kernel, attachment, link);
	if (!err)
		log_info("kernel: attached interface=%s mode=%s%s%s", attachment->name,
			 kernel_mode_name(attachment->mode),
			 attachment->reason[0] ? " reason=" : "", attachment->reason);
	else if (!lost && !was_blocked)
		log_warning("kernel: not attached interface=%s reason=\"%s\"", attachment->name,
			    attachment->reason);
	return lost || !err;
}

bool kernel_refresh_attachments(struct kernel *kernel)
{
	bool changed = false;

	if (kernel_is_null(kernel))
		return false;
	for (size_t i = 0; i < kernel->attachment_count; i++)
		changed |= refresh(kernel, &kernel->attachments[i], &kernel->links[i]);
	if (changed)
		publish_interfaces(kernel);
	return changed;
}
