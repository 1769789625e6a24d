use super::*;

fn network(text: &str) -> Network {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn addresses_read_and_shown() {
    for text in ["127.0.0.1:8080", "[::1]:0", "unix:/run/stoker.sock"] {
        assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "8080",
        "localhost:80",
        "127.0.0.1",
        "127.0.0.1:99999",
        "unix:",
    ] {
        assert!(text.parse::<Address>().is_err(), "{text}");
    }
}

#[test]
fn a_kernel_chosen_port_never_clashes() {
    let fixed: Address = "127.0.0.1:80".parse().unwrap();
    let chosen: Address = "127.0.0.1:0".parse().unwrap();
    assert!(fixed.clashes(&fixed));
    assert!(!chosen.clashes(&chosen));
    assert!(!fixed.clashes(&chosen));
}

#[test]
fn networks_contain_what_they_should() {
    assert!(network("10.0.0.0/8").contains(ip("10.255.1.2")));
    assert!(!network("10.0.0.0/8").contains(ip("11.0.0.1")));
    assert!(network("10.0.0.0/8").contains(ip("::ffff:10.1.2.3")));
    assert!(network("::ffff:10.0.0.0/104").contains(ip("10.1.2.3")));
    assert!(!network("::ffff:10.0.0.0/104").contains(ip("11.1.2.3")));
    assert!(network("0.0.0.0/0").contains(ip("203.0.113.9")));
    assert!(!network("0.0.0.0/0").contains(ip("2001:db8::1")));
    assert!(network("::/0").contains(ip("2001:db8::1")));
    assert!(network("::1").contains(ip("::1")));
    assert!(!network("::1").contains(ip("::2")));
    assert!(network("192.0.2.7").contains(ip("192.0.2.7")));
    assert!(!network("192.0.2.7").contains(ip("192.0.2.6")));
}

#[test]
fn networks_read_and_shown() {
    assert_eq!(network("10.0.0.0/8").to_string(), "10.0.0.0/8");
    assert_eq!(network("::1").to_string(), "::1/128");
    for text in [
        "",
        "10.0.0.0/33",
        "::/129",
        "10.0.0/8",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "host/8",
    ] {
        assert!(text.parse::<Network>().is_err(), "{text}");
    }
}
