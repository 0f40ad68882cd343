// A peer with another TLS stack: exported authenticators (RFC 9261) by Go's standard library alone. Over one mutual
// TLS 1.3 connection it asks for an authenticator, answers the request that it gets with its second certificate, and
// prints what it verified. Handshake messages follow one another with nothing between them.
package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
)

const (
	certificateType              = 11
	certificateRequestType       = 13
	certificateVerifyType        = 15
	clientCertificateRequestType = 17
	finishedType                 = 20
	ecdsaP256Sha256              = 0x0403
)

var hashes = map[uint16]crypto.Hash{
	tls.TLS_AES_128_GCM_SHA256:       crypto.SHA256,
	tls.TLS_AES_256_GCM_SHA384:       crypto.SHA384,
	tls.TLS_CHACHA20_POLY1305_SHA256: crypto.SHA256,
}

func main() {
	role := flag.String("role", "server", "server or client")
	address := flag.String("address", "127.0.0.1:0", "to listen at or to dial")
	certFile := flag.String("cert", "", "chain for the handshake")
	keyFile := flag.String("key", "", "")
	nextCertFile := flag.String("next-cert", "", "chain for the authenticator")
	nextKeyFile := flag.String("next-key", "", "")
	caFile := flag.String("ca", "", "roots")
	flag.Parse()

	own, err := tls.LoadX509KeyPair(*certFile, *keyFile)
	must(err)
	next, err := tls.LoadX509KeyPair(*nextCertFile, *nextKeyFile)
	must(err)
	pem, err := os.ReadFile(*caFile)
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config := &tls.Config{
		Certificates:       []tls.Certificate{own},
		ClientAuth:         tls.RequireAndVerifyClientCert,
		ClientCAs:          roots,
		RootCAs:            roots,
		InsecureSkipVerify: *role == "client", // SPIFFE IDs are no host names; the chain is verified below
		MinVersion:         tls.VersionTLS13,
	}
	conn := open(*role, *address, config)
	must(conn.Handshake())
	if *role == "client" {
		_, err = conn.ConnectionState().PeerCertificates[0].Verify(verifyOptions(roots, conn.ConnectionState().PeerCertificates[1:]))
		must(err)
	}
	prove(conn, *role, next, roots)
}

func open(role, address string, config *tls.Config) *tls.Conn {
	if role == "client" {
		conn, err := net.Dial("tcp", address)
		must(err)
		return tls.Client(conn, config)
	}
	listener, err := net.Listen("tcp", address)
	must(err)
	fmt.Println("listening", listener.Addr().(*net.TCPAddr).Port)
	conn, err := listener.Accept()
	must(err)
	return tls.Server(conn, config)
}

func prove(conn *tls.Conn, role string, next tls.Certificate, roots *x509.CertPool) {
	peerRole, ownRequestType, peerRequestType := "server", byte(clientCertificateRequestType), byte(certificateRequestType)
	if role == "server" {
		peerRole, ownRequestType, peerRequestType = "client", certificateRequestType, clientCertificateRequestType
	}
	context := make([]byte, 32)
	_, err := rand.Read(context)
	must(err)
	// An extension that no one knows goes in front: it is to be ignored.
	extensions := append([]byte{0xfa, 0xfa, 0, 1, 0}, []byte{0, 13, 0, 4, 0, 2, 4, 3}...)
	request := message(ownRequestType, append(sized(1, context), sized(2, extensions)...))
	_, err = conn.Write(request)
	must(err)

	var authenticator [][]byte
	for {
		kind, whole, err := readMessage(conn)
		if err == io.EOF {
			fmt.Println("closed")
			return
		}
		must(err)
		switch kind {
		case peerRequestType:
			_, err = conn.Write(answer(conn, role, whole, next))
			must(err)
			fmt.Println("answered")
		default:
			authenticator = append(authenticator, whole)
			if kind != finishedType {
				continue
			}
			leaf := verify(conn, peerRole, request, context, authenticator, roots)
			fmt.Printf("verified %x\n", leaf.SerialNumber.Bytes())
			authenticator = nil
		}
	}
}

func answer(conn *tls.Conn, role string, request []byte, identity tls.Certificate) []byte {
	hash, context, key := exported(conn, role)
	requestContext := request[5 : 5+int(request[4])]
	var list []byte
	for _, der := range identity.Certificate {
		list = append(list, sized(3, der)...)
		list = append(list, 0, 0)
	}
	certificate := message(certificateType, append(sized(1, requestContext), sized(3, list)...))
	signed := toSign(sum(hash, context, request, certificate))
	digest := sum(crypto.SHA256, signed)
	signature, err := identity.PrivateKey.(*ecdsa.PrivateKey).Sign(rand.Reader, digest, crypto.SHA256)
	must(err)
	verifyMessage := message(certificateVerifyType, append([]byte{4, 3}, sized(2, signature)...))
	finished := message(finishedType, mac(hash, key, sum(hash, context, request, certificate, verifyMessage)))
	return bytes.Join([][]byte{certificate, verifyMessage, finished}, nil)
}

func verify(conn *tls.Conn, peerRole string, request, requestContext []byte, messages [][]byte, roots *x509.CertPool) *x509.Certificate {
	if len(messages) != 3 || messages[0][0] != certificateType || messages[1][0] != certificateVerifyType {
		must(fmt.Errorf("not Certificate, CertificateVerify, Finished"))
	}
	hash, context, key := exported(conn, peerRole)
	body := messages[0][4:]
	if !bytes.Equal(body[1:1+int(body[0])], requestContext) {
		must(fmt.Errorf("another context"))
	}
	body = body[1+int(body[0])+3:]
	var chain []*x509.Certificate
	for len(body) > 0 {
		length := int(body[0])<<16 | int(body[1])<<8 | int(body[2])
		certificate, err := x509.ParseCertificate(body[3 : 3+length])
		must(err)
		chain = append(chain, certificate)
		body = body[3+length:]
		if binary.BigEndian.Uint16(body) != 0 {
			must(fmt.Errorf("extensions that were not asked for"))
		}
		body = body[2:]
	}
	_, err := chain[0].Verify(verifyOptions(roots, chain[1:]))
	must(err)
	if chain[0].URIs[0].String() != conn.ConnectionState().PeerCertificates[0].URIs[0].String() {
		must(fmt.Errorf("another identity"))
	}
	proof := messages[1][4:]
	if binary.BigEndian.Uint16(proof) != ecdsaP256Sha256 {
		must(fmt.Errorf("a scheme that was not asked for"))
	}
	digest := sum(crypto.SHA256, toSign(sum(hash, context, request, messages[0])))
	if !ecdsa.VerifyASN1(chain[0].PublicKey.(*ecdsa.PublicKey), digest, proof[4:]) {
		must(fmt.Errorf("bad signature"))
	}
	if !hmac.Equal(mac(hash, key, sum(hash, context, request, messages[0], messages[1])), messages[2][4:]) {
		must(fmt.Errorf("bad Finished"))
	}
	return chain[0]
}

func exported(conn *tls.Conn, role string) (crypto.Hash, []byte, []byte) {
	state := conn.ConnectionState()
	hash := hashes[state.CipherSuite]
	context, err := state.ExportKeyingMaterial("EXPORTER-"+role+" authenticator handshake context", nil, hash.Size())
	must(err)
	key, err := state.ExportKeyingMaterial("EXPORTER-"+role+" authenticator finished key", nil, hash.Size())
	must(err)
	return hash, context, key
}

func toSign(transcript []byte) []byte {
	out := bytes.Repeat([]byte{' '}, 64)
	out = append(out, "Exported Authenticator"...)
	return append(append(out, 0), transcript...)
}

func verifyOptions(roots *x509.CertPool, intermediates []*x509.Certificate) x509.VerifyOptions {
	pool := x509.NewCertPool()
	for _, certificate := range intermediates {
		pool.AddCert(certificate)
	}
	return x509.VerifyOptions{Roots: roots, Intermediates: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
}

func readMessage(from io.Reader) (byte, []byte, error) {
	header := make([]byte, 4)
	if _, err := io.ReadFull(from, header); err != nil {
		return 0, nil, err
	}
	body := make([]byte, int(header[1])<<16|int(header[2])<<8|int(header[3]))
	_, err := io.ReadFull(from, body)
	return header[0], append(header, body...), err
}

func message(kind byte, body []byte) []byte {
	return append([]byte{kind}, sized(3, body)...)
}

func sized(lengthSize int, body []byte) []byte {
	length := make([]byte, 4)
	binary.BigEndian.PutUint32(length, uint32(len(body)))
	return append(length[4-lengthSize:], body...)
}

func sum(hash crypto.Hash, parts ...[]byte) []byte {
	h := hash.New()
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}

func mac(hash crypto.Hash, key, value []byte) []byte {
	m := hmac.New(hash.New, key)
	m.Write(value)
	return m.Sum(nil)
}

func must(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}
