# lwIP, whose source the distribution has (scripts/fetch-lwip): fetched once into $(BUILD)/lwip and compiled
# into the kernel. Where it cannot be had, INET stays empty: the kernel is built without net/inet and net/lwip.
# Included by the top Makefile. The answer is a makefile: make fetches first, and then reads it.

LWIP := $(BUILD)/lwip
INET :=

ifneq ($(if $(MAKECMDGOALS),$(filter-out clean help format,$(MAKECMDGOALS)),all),)
-include $(LWIP)/answer.mk
endif

$(LWIP)/answer.mk: scripts/fetch-lwip
	$(Q)scripts/fetch-lwip $(@D)

ifeq ($(INET),yes)
LWIP_CORE := $(addprefix $(LWIP)/src/src/core/,def.c inet_chksum.c init.c ip.c mem.c memp.c netif.c pbuf.c raw.c stats.c \
	sys.c tcp.c tcp_in.c tcp_out.c udp.c \
	ipv4/etharp.c ipv4/icmp.c ipv4/igmp.c ipv4/ip4.c ipv4/ip4_addr.c ipv4/ip4_frag.c \
	ipv6/ethip6.c ipv6/icmp6.c ipv6/inet6.c ipv6/ip6.c ipv6/ip6_addr.c ipv6/ip6_frag.c ipv6/mld6.c ipv6/nd6.c)
LWIP_C := $(LWIP_CORE) $(LWIP)/src/src/netif/ethernet.c
# Not as headers of the system: what depends on lwipopts.h is to be compiled again when that changes.
LWIP_CPPFLAGS := -Ikernel/net/lwip/libc -Ikernel/net/lwip -I$(LWIP)/src/src/include
# Its warnings are its own affair.
$(foreach file,$(LWIP_C),$(eval CFLAGS_$(file) := -w -Wno-error -Wframe-larger-than=4096))
KERNEL_CPPFLAGS += -DCOPPICE_INET=1 $(LWIP_CPPFLAGS)
KERNEL_C += $(LWIP_C)
else
KERNEL_C := $(filter-out kernel/net/inet/% kernel/net/lwip/%,$(KERNEL_C))
endif
