/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transport to nfnetlink. The kernel's habits that this copes with stand beside the lines that do. */
#include "traffic/nft.h"

#include "base/cleanup.h"
#include "os/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/socket.h>

/* A dump's message is at most 32 KiB (netlink_dump() in af_netlink.c). */
#define RECEIVE_SIZE (64u << 10)
/* Room for the replies of a batch in which every message fails: 10 000 errors of 300 bytes. */
#define SOCKET_BUFFER (4 << 20)

struct nft {
    struct nl_sock *socket;
    int fd;
    uint32_t sequence;
    int send_buffer;
    unsigned char reply[RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* FORCE goes beyond net.core.*mem_max and needs NET_ADMIN in the first user namespace; without it, as far as
 * allowed. */
static int set_buffer(int fd, int forced, int plain, int size)
{
    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) == 0)
        return 0;
    return setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size);
}

int nft_open(struct nft **nft, struct error *err)
{
    CLEANUP_FREE struct nft *opened = calloc(1, sizeof *opened);
    if (opened)
        opened->socket = nl_socket_alloc();
    if (!opened || !opened->socket)
        return error_errno(err, ENOMEM, "open a netlink socket");
    errno = 0;
    if (nl_connect(opened->socket, NETLINK_NETFILTER) < 0) { /* close-on-exec */
        int cause = errno ? errno : EPROTO;
        nl_socket_free(opened->socket);
        error_errno(err, cause, "open a netfilter netlink socket");
        return cause == EPROTONOSUPPORT ? error_suffix(err, ". Is nfnetlink in this kernel (modprobe nfnetlink)?")
                                        : -cause;
    }
    opened->fd = nl_socket_get_fd(opened->socket);
    opened->send_buffer = SOCKET_BUFFER;
    set_buffer(opened->fd, SO_SNDBUFFORCE, SO_SNDBUF, SOCKET_BUFFER);
    set_buffer(opened->fd, SO_RCVBUFFORCE, SO_RCVBUF, SOCKET_BUFFER);
    int on = 1;
    /* Errors with the kernel's words, without a copy of the message that caused them. Old kernels do without. */
    setsockopt(opened->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    setsockopt(opened->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    opened->sequence = 1;
    *nft = steal_ptr(&opened);
    return 0;
}

void nft_close(struct nft *nft)
{
    if (!nft)
        return;
    nl_socket_free(nft->socket);
    free(nft);
}

uint32_t nft_port(const struct nft *nft)
{
    return nl_socket_get_local_port(nft->socket);
}

int nft_fd(const struct nft *nft)
{
    return nft->fd;
}

uint32_t nft_sequence(const struct nft *nft)
{
    return nft->sequence;
}

/* Next datagram of replies: its length, 0 when there is none, -ENOBUFS when some were lost. */
static ssize_t receive(struct nft *nft)
{
    for (;;) {
        struct sockaddr_nl from = {0};
        socklen_t size = sizeof from;
        ssize_t length =
            recvfrom(nft->fd, nft->reply, sizeof nft->reply, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &size);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return errno == EAGAIN ? 0 : -errno;
        if ((size_t)length > sizeof nft->reply)
            return -EMSGSIZE;
        if (from.nl_pid == 0 && length > 0) /* 0 is the kernel; anyone may send to our port */
            return length;
    }
}

static void describe_failure(const struct nlmsghdr *message, struct nft_failure *failure)
{
    const struct nlmsgerr *error = NLMSG_DATA(message);
    if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
        return;
    size_t offset = sizeof *error;
    if (!(message->nlmsg_flags & NLM_F_CAPPED))
        offset += NLMSG_ALIGN(error->msg.nlmsg_len) - NLMSG_HDRLEN;
    if (NLMSG_LENGTH(offset) > message->nlmsg_len)
        return;
    struct nlattr *attributes[NLMSGERR_ATTR_OFFS + 1] = {0}, *attribute;
    int rest = (int)(message->nlmsg_len - NLMSG_LENGTH(offset));
    for (attribute = (struct nlattr *)(void *)((char *)NLMSG_DATA(message) + offset); nla_ok(attribute, rest);
         attribute = nla_next(attribute, &rest))
        if (nla_type(attribute) <= NLMSGERR_ATTR_OFFS)
            attributes[nla_type(attribute)] = attribute;
    const struct nlattr *words = attributes[NLMSGERR_ATTR_MSG], *where = attributes[NLMSGERR_ATTR_OFFS];
    size_t used = 0;
    if (words)
        used = (size_t)snprintf(failure->detail, sizeof failure->detail, "%.*s",
                                (int)strnlen(nla_data(words), (size_t)nla_len(words)), (const char *)nla_data(words));
    if (where && nla_len(where) == sizeof(uint32_t) && used < sizeof failure->detail)
        snprintf(failure->detail + used, sizeof failure->detail - used, "%sat byte %u of the message", used ? ", " : "",
                 nla_get_u32(where));
}

struct outcome {
    bool acknowledged, lost;
    int error; /* the first, negative */
};

static void note_reply(const struct nft_batch *batch, const struct nlmsghdr *message, struct outcome *outcome,
                       struct nft_failure *failure)
{
    /* A reply to something older than this batch cannot be: each call reads until nothing is left. */
    uint32_t index = message->nlmsg_seq - batch->sequence;
    if (message->nlmsg_type != NLMSG_ERROR || message->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
        return;
    const struct nlmsgerr *error = NLMSG_DATA(message);
    if (!error->error)
        outcome->acknowledged = true;
    if (!error->error || outcome->error)
        return;
    outcome->error = error->error;
    /* Errors of the commit itself and a stale generation carry the number of the batch's begin. */
    failure->owner = index < batch->count ? batch->owners[index] : NFT_OWNER_NONE;
    describe_failure(message, failure);
}

/* Good messages are acknowledged even when the batch is aborted: success is no error in the whole of the replies. */
static struct outcome read_outcome(struct nft *nft, const struct nft_batch *batch, struct nft_failure *failure)
{
    struct outcome outcome = {0};
    ssize_t length;
    while ((length = receive(nft)) != 0) {
        if (length == -ENOBUFS) {
            outcome.lost = true;
            continue;
        }
        if (length < 0) {
            outcome.error = outcome.error ?: (int)length;
            break;
        }
        struct nlmsghdr *message = (struct nlmsghdr *)(void *)nft->reply;
        for (int rest = (int)length; nlmsg_ok(message, rest); message = nlmsg_next(message, &rest))
            note_reply(batch, message, &outcome, failure);
    }
    return outcome;
}

/* Replies were lost and none that came was an error: the generation tells whether the batch was committed. */
static int find_out(struct nft *nft, uint32_t generation)
{
    uint32_t now;
    if (nft_generation(nft, &now, NULL))
        return -EIO;
    return now == generation ? -ENOBUFS : 0;
}

static int send_batch(struct nft *nft, const struct nft_batch *batch)
{
    /* The kernel takes a message only if it fits into the send buffer, of which it keeps half for its own
     * bookkeeping. */
    if (batch->length * 2 > (size_t)nft->send_buffer && batch->length < INT32_MAX / 4) {
        nft->send_buffer = (int)batch->length * 2;
        set_buffer(nft->fd, SO_SNDBUFFORCE, SO_SNDBUF, nft->send_buffer);
    }
    int status = nl_sendto(nft->socket, batch->data, batch->length);
    return status < 0 ? -(errno ?: EIO) : 0;
}

int nft_commit(struct nft *nft, const struct nft_batch *batch, uint32_t generation, struct nft_failure *failure,
               uint32_t *microseconds)
{
    *failure = (struct nft_failure){.owner = NFT_OWNER_NONE};
    if (batch->failed)
        return -ENOMEM;
    nft_batch_set_generation(batch, generation);
    nft->sequence = batch->sequence + (uint32_t)batch->count;
    uint64_t begun = clock_monotonic_ns();
    int status = send_batch(nft, batch);
    if (status)
        return status;
    struct outcome outcome = read_outcome(nft, batch, failure);
    if (microseconds)
        *microseconds = (uint32_t)((clock_monotonic_ns() - begun) / 1000);
    if (outcome.error)
        return outcome.error;
    if (outcome.acknowledged)
        return 0;
    return outcome.lost ? find_out(nft, generation) : -EPROTO;
}

struct nl_msg *nft_message(uint8_t subsystem, uint8_t type, uint16_t flags, uint8_t family)
{
    struct nl_msg *message = nlmsg_alloc();
    if (!message)
        return NULL;
    struct nfgenmsg header = {.nfgen_family = family, .version = NFNETLINK_V0};
    if (nlmsg_put(message, 0, 0, subsystem << 8 | type, 0, NLM_F_REQUEST | flags) &&
        nlmsg_append(message, &header, sizeof header, NLMSG_ALIGNTO) == 0)
        return message;
    nlmsg_free(message);
    return NULL;
}

/* 1: go on, 0: the answer is complete, negative: it failed. */
static int take_reply(struct nlmsghdr *message, uint32_t sequence, nft_reply *reply, void *context, int *interrupted)
{
    if (message->nlmsg_seq != sequence)
        return 1;
    if (message->nlmsg_flags & NLM_F_DUMP_INTR)
        *interrupted = -EINTR;
    if (message->nlmsg_type == NLMSG_DONE) /* with the status of the dump */
        return message->nlmsg_len < NLMSG_LENGTH(sizeof(int)) || *(int *)NLMSG_DATA(message) > 0
                   ? 0
                   : *(int *)NLMSG_DATA(message);
    if (message->nlmsg_type == NLMSG_ERROR)
        return message->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))
                   ? -EPROTO
                   : ((struct nlmsgerr *)NLMSG_DATA(message))->error;
    int status = reply ? reply(context, message) : 0;
    return status ?: 1;
}

/* Reads to the end even when reply wants to stop: a dump left half read would refuse the next one. */
static int read_answer(struct nft *nft, uint32_t sequence, nft_reply *reply, void *context)
{
    int status = 1, failed = 0, interrupted = 0;
    while (status == 1) {
        ssize_t length = receive(nft);
        if (length <= 0)
            return length ? (int)length : failed ?: -EPROTO;
        struct nlmsghdr *message = (struct nlmsghdr *)(void *)nft->reply;
        for (int rest = (int)length; status == 1 && nlmsg_ok(message, rest); message = nlmsg_next(message, &rest)) {
            status = take_reply(message, sequence, failed ? NULL : reply, context, &interrupted);
            if (status < 0 && message->nlmsg_type > NLMSG_DONE) {
                failed = status;
                status = 1;
            }
        }
    }
    return status < 0 ? status : failed ? failed : interrupted;
}

int nft_request(struct nft *nft, struct nl_msg *request, nft_reply *reply, void *context)
{
    if (!request)
        return -ENOMEM;
    struct nlmsghdr *header = nlmsg_hdr(request);
    uint32_t sequence = nft->sequence++;
    header->nlmsg_seq = sequence;
    /* NLM_F_DUMP is two bits, one of which means something else in other requests. A dump ends by itself. */
    if ((header->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
        header->nlmsg_flags |= NLM_F_ACK;
    int status = nl_sendto(nft->socket, header, header->nlmsg_len);
    status = status < 0 ? -(errno ?: EIO) : read_answer(nft, sequence, reply, context);
    nlmsg_free(request);
    return status;
}

static int read_generation(void *context, struct nlmsghdr *message)
{
    struct nlattr *attribute = nlmsg_find_attr(message, sizeof(struct nfgenmsg), NFTA_GEN_ID);
    if (!attribute || nla_len(attribute) < (int)sizeof(uint32_t))
        return -EPROTO;
    *(uint32_t *)context = ntohl(nla_get_u32(attribute));
    return 0;
}

int nft_generation(struct nft *nft, uint32_t *generation, struct error *err)
{
    int status =
        nft_request(nft, nft_message(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN, 0, AF_UNSPEC), read_generation, generation);
    if (status == -EINVAL || status == -EOPNOTSUPP)
        return error_set(err, -status,
                         "read the rule set's generation: this kernel has no nf_tables (modprobe nf_tables)");
    if (status == -EPERM)
        return error_errno(err, EPERM, "read the rule set's generation (needs root, or the capability NET_ADMIN)");
    return status ? error_errno(err, -status, "read the rule set's generation") : 0;
}
