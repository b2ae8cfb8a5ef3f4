package main

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerUID is the user at the other end of a local socket, as the kernel knows it.
func peerUID(conn net.Conn) (uid int, known bool) {
	local, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, false
	}
	raw, err := local.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *unix.Ucred
	if control := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); control != nil || err != nil {
		return 0, false
	}
	return int(cred.Uid), true
}
