/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/port/dpdk/own.h"

unsigned int if_nametoindex(const char *name); /* net/if.h goes with no
						  linux/if.h */

static bool is_zero(const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return memcmp(mac, zero, sizeof(zero)) == 0;
}

/* Its MAC is the device's, or the device's is its. */
static bool set_up(struct device *d, struct ifreq *r, int sock)
{
	struct ifreq mac = *r, mtu = *r, flags = *r;

	mac.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(mac.ifr_hwaddr.sa_data, d->mac, sizeof(d->mac));
	if (!is_zero(d->mac) && ioctl(sock, SIOCSIFHWADDR, &mac) != 0)
		return false;
	if (ioctl(sock, SIOCGIFHWADDR, &mac) != 0)
		return false;
	memcpy(d->mac, mac.ifr_hwaddr.sa_data, sizeof(d->mac));
	mtu.ifr_mtu = (int)d->mtu;
	if (ioctl(sock, SIOCSIFMTU, &mtu) != 0 ||
	    ioctl(sock, SIOCGIFFLAGS, &flags) != 0)
		return false;
	flags.ifr_flags = (short)(flags.ifr_flags | IFF_UP);
	return ioctl(sock, SIOCSIFFLAGS, &flags) == 0;
}

bool dpdk_tap_open(struct device *d, unsigned n)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int sock = -1, err;

	snprintf(r.ifr_name, sizeof(r.ifr_name), "vx6k%u", n);
	d->tap_fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (d->tap_fd >= 0)
		sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock >= 0 && ioctl(d->tap_fd, TUNSETIFF, &r) == 0 &&
	    set_up(d, &r, sock)) {
		close(sock);
		d->ifindex = if_nametoindex(r.ifr_name);
		memcpy(d->label, r.ifr_name, sizeof(d->label));
		return true;
	}
	err = errno;
	if (sock >= 0)
		close(sock);
	if (d->tap_fd >= 0)
		close(d->tap_fd);
	d->tap_fd = -1;
	errno = err;
	return false;
}
