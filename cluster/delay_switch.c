/* A network switch in user space, for kernels that cannot delay packets: one-way delay, rate and loss per port.
 *
 *   delay_switch DELAY_US RATE_MBIT LOSS_PPM NAMESPACE:INTERFACE...
 *
 * Makes a TAP device INTERFACE in each network namespace (a path such as /proc/PID/ns/net) and forwards frames between
 * them. RATE_MBIT is what a port may send, 0: as fast as it goes. Prints "ready" when the devices are there, and ends
 * when it is told to or when its last port is gone. Needs CAP_NET_ADMIN and /dev/net/tun.
 *
 * The devices hand over what TCP meant to send in one piece (up to 64 KiB, not cut into frames of an MTU), so a byte
 * that passes through costs little; a piece's time on the wire is counted from its bytes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
  MAX_PORTS = 256,
  VNET_HEADER = 12,    /* bytes that the kernel puts before each frame: how to cut it */
  ADDRESS = 6,         /* bytes of an Ethernet address; a frame starts with destination and source */
  WIRE_EXTRA = 24,     /* preamble, checksum and gap around a frame */
  LARGEST = 66 * 1024, /* bytes read at once */
  BURST = 32,          /* frames taken from one port before the next has its turn */
  QUEUE_BYTES = 4 << 20
};
static const uint64_t spin_below_ns = 2000; /* a wait shorter than this is not worth a system call */

typedef struct frame {
  struct frame *next;
  uint64_t due; /* ns: when the last byte has arrived */
  size_t size;
  unsigned char bytes[];
} frame;

typedef struct port {
  int fd;              /* -1: its namespace is gone */
  uint64_t free_at;    /* ns: when what it has sent so far has left */
  frame *first, *last; /* on the way to it, by due time */
  size_t queued;       /* bytes of those */
  unsigned char address[ADDRESS];
  bool has_address;
} port;

static port ports[MAX_PORTS];
static int n_ports;
static uint64_t delay_ns;
static double bits_per_ns;
static long loss_ppm;

static void fail(const char *what) {
  fprintf(stderr, "delay_switch: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t now(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_MONOTONIC, &t)) fail("clock_gettime");
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A TAP device in the namespace of the calling thread. Checksums and segments are left for the other end to do. */
static int tap_create(const char *name) {
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) fail("/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  if (ioctl(fd, TUNSETIFF, &request)) fail(name);
  int header = VNET_HEADER;
  if (ioctl(fd, TUNSETVNETHDRSZ, &header)) fail("TUNSETVNETHDRSZ");
  if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)) fail("TUNSETOFFLOAD");
  return fd;
}

static void port_open(const char *where, int home) {
  char path[256];
  const char *colon = strrchr(where, ':');
  if (!colon || (size_t)(colon - where) >= sizeof path || n_ports == MAX_PORTS) {
    fprintf(stderr, "delay_switch: found '%s'; wanted NAMESPACE:INTERFACE, at most %d of them\n", where, MAX_PORTS);
    exit(2);
  }
  snprintf(path, sizeof path, "%.*s", (int)(colon - where), where);
  const int namespace = open(path, O_RDONLY | O_CLOEXEC);
  if (namespace < 0 || setns(namespace, CLONE_NEWNET)) fail(path);
  close(namespace);
  ports[n_ports++].fd = tap_create(colon + 1);
  if (setns(home, CLONE_NEWNET)) fail("back to the namespace it came from");
}

static void port_close(port *p) {
  close(p->fd);
  p->fd = -1;
  while (p->first) {
    frame *f = p->first;
    p->first = f->next;
    free(f);
  }
  p->queued = 0;
}

/* Keeps the queue ordered by due time; frames that are due at once stay in the order of their arrival. */
static void port_queue(port *p, const unsigned char *bytes, size_t size, uint64_t due) {
  if (p->fd < 0 || p->queued + size > QUEUE_BYTES) return; /* a full queue drops, as a switch does */
  frame *f = malloc(sizeof *f + size);
  if (!f) return;
  *f = (frame){.due = due, .size = size};
  memcpy(f->bytes, bytes, size);
  p->queued += size;
  frame **at = &p->first;
  if (p->first && p->last->due <= due) at = &p->last->next;
  while (*at && (*at)->due <= due) at = &(*at)->next;
  f->next = *at;
  *at = f;
  if (!f->next) p->last = f;
}

static void forward(port *from, const unsigned char *bytes, size_t size) {
  const unsigned char *to = bytes + VNET_HEADER, *source = to + ADDRESS;
  memcpy(from->address, source, ADDRESS);
  from->has_address = true;
  if (loss_ppm > 0 && random() % 1000000 < loss_ppm) return;

  const uint64_t time = now();
  uint64_t sent = time;
  if (bits_per_ns > 0) {
    if (from->free_at < time) from->free_at = time;
    from->free_at += (uint64_t)((double)(size - VNET_HEADER + WIRE_EXTRA) * 8 / bits_per_ns);
    sent = from->free_at;
  }
  port *only = NULL;
  for (port *p = ports; !(to[0] & 1) && p < ports + n_ports; p++)
    if (p->has_address && memcmp(p->address, to, ADDRESS) == 0) only = p;
  for (port *p = ports; p < ports + n_ports; p++)
    if (p != from && (!only || p == only)) port_queue(p, bytes, size, sent + delay_ns);
}

static bool port_read(port *p) {
  static unsigned char buffer[LARGEST];
  for (int k = 0; k < BURST; k++) {
    const ssize_t size = read(p->fd, buffer, sizeof buffer);
    if (size < 0 && errno != EAGAIN && errno != EINTR && errno != EIO) port_close(p);
    if (size < 0) return k > 0;
    if (size > VNET_HEADER + 2 * ADDRESS) forward(p, buffer, (size_t)size);
  }
  return true;
}

/* Delivers what is due; lowers *next to when the port's next frame will be. */
static bool port_deliver(port *p, uint64_t time, uint64_t *next) {
  bool delivered = false;
  while (p->first && p->first->due <= time) {
    frame *f = p->first;
    if (write(p->fd, f->bytes, f->size) < 0 && errno == EAGAIN) break;
    p->first = f->next;
    p->queued -= f->size;
    free(f);
    delivered = true;
  }
  if (p->first && p->first->due > time && p->first->due < *next) *next = p->first->due;
  return delivered;
}

static void sleep_until(uint64_t next) {
  struct pollfd watched[MAX_PORTS];
  nfds_t n = 0;
  for (port *p = ports; p < ports + n_ports; p++)
    if (p->fd >= 0) watched[n++] = (struct pollfd){.fd = p->fd, .events = POLLIN};
  if (n == 0) exit(0);
  const uint64_t time = now(), wait = next > time ? next - time : 0;
  if (wait < spin_below_ns) return;
  const struct timespec limit = {.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)};
  if (ppoll(watched, n, next == UINT64_MAX ? NULL : &limit, NULL) < 0 && errno != EINTR) fail("ppoll");
  for (nfds_t i = 0; i < n; i++)
    for (port *p = ports; (watched[i].revents & (POLLERR | POLLNVAL)) && p < ports + n_ports; p++)
      if (p->fd == watched[i].fd) port_close(p);
}

static double number(const char *text, const char *what) {
  char *end;
  const double value = strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= 0) || value > 1e9) {
    fprintf(stderr, "delay_switch: %s: found '%s'; allowed: a number from 0 to 1e9\n", what, text);
    exit(2);
  }
  return value;
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: delay_switch DELAY_US RATE_MBIT LOSS_PPM NAMESPACE:INTERFACE...\n");
    return 2;
  }
  delay_ns = (uint64_t)(number(argv[1], "DELAY_US") * 1000);
  bits_per_ns = number(argv[2], "RATE_MBIT") / 1000;
  loss_ppm = (long)number(argv[3], "LOSS_PPM");
  const int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (home < 0) fail("/proc/self/ns/net");
  for (int i = 4; i < argc; i++) port_open(argv[i], home);
  if (prctl(PR_SET_TIMERSLACK, 1)) fail("PR_SET_TIMERSLACK"); /* the default, 50 us, is as long as a delay */
  printf("ready\n");
  if (fclose(stdout)) fail("standard output");

  for (;;) {
    bool worked = false;
    uint64_t next = UINT64_MAX;
    for (port *p = ports; p < ports + n_ports; p++) worked |= p->fd >= 0 && port_read(p);
    const uint64_t time = now();
    for (port *p = ports; p < ports + n_ports; p++) worked |= p->fd >= 0 && port_deliver(p, time, &next);
    if (!worked) sleep_until(next);
  }
}
