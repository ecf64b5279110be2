// SPDX-License-Identifier: MIT
//! iceoryx2 behind a few functions of C, for others/iceoryx2.c: one publisher or
//! subscriber of a service of bytes, as in its examples publish_subscribe_dynamic_data
//! and event_based_communication. Nothing is lost: a publisher waits for a subscriber
//! whose buffer is full. Who is to sleep waits for an event that goes with each message.

use core::ffi::{c_char, c_int, c_void, CStr};
use core::mem::MaybeUninit;
use iceoryx2::port::update_connections::UpdateConnections;
use iceoryx2::port::{
    listener::Listener, notifier::Notifier, publisher::Publisher, subscriber::Subscriber,
};
use iceoryx2::prelude::*;
use iceoryx2::sample::Sample;
use iceoryx2::sample_mut_uninit::SampleMutUninit;

type Ipc = ipc::Service;
type Fallible<T> = Result<T, Box<dyn core::error::Error>>;

const MEMBERS: usize = 8;
const FAILED: c_int = -5; // -EIO

pub struct Side {
    loaned: Option<SampleMutUninit<Ipc, [MaybeUninit<u8>], ()>>,
    taken: Option<Sample<Ipc, [u8], ()>>,
    publisher: Option<Publisher<Ipc, [u8], ()>>,
    subscriber: Option<Subscriber<Ipc, [u8], ()>>,
    notifier: Option<Notifier<Ipc>>,
    listener: Option<Listener<Ipc>>,
    _node: Node<Ipc>,
}

fn open(name: &str, size: usize, depth: usize, sends: bool, spins: bool) -> Fallible<Side> {
    set_log_level(LogLevel::Error);
    let node = NodeBuilder::new()
        .signal_handling_mode(SignalHandlingMode::Disabled)
        .create::<Ipc>()?;
    let name: ServiceName = name.try_into()?;
    let service = node
        .service_builder(&name)
        .publish_subscribe::<[u8]>()
        .payload_alignment(Alignment::new(64).ok_or("alignment")?)
        .enable_safe_overflow(false)
        .history_size(0)
        .subscriber_max_buffer_size(depth)
        .max_publishers(MEMBERS)
        .max_nodes(MEMBERS)
        .open_or_create()?;
    let event = node
        .service_builder(&name)
        .event()
        .max_notifiers(MEMBERS)
        .max_nodes(MEMBERS)
        .open_or_create()?;
    let mut side = Side {
        loaned: None,
        taken: None,
        publisher: None,
        subscriber: None,
        notifier: None,
        listener: None,
        _node: node,
    };
    if sends {
        side.publisher = Some(
            service
                .publisher_builder()
                .initial_max_slice_len(size)
                .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
                .create()?,
        );
        if !spins {
            side.notifier = Some(event.notifier_builder().create()?);
        }
    } else {
        side.subscriber = Some(service.subscriber_builder().buffer_size(depth).create()?);
        if !spins {
            side.listener = Some(event.listener_builder().create()?);
        }
    }
    Ok(side)
}

/// # Safety
/// name is a string, ret can be written.
#[no_mangle]
pub unsafe extern "C" fn bench_iceoryx2_open(
    name: *const c_char,
    size: usize,
    depth: usize,
    sends: bool,
    spins: bool,
    ret: *mut *mut Side,
) -> c_int {
    let Ok(name) = CStr::from_ptr(name).to_str() else {
        return FAILED;
    };
    match open(name, size, depth, sends, spins) {
        Ok(side) => {
            *ret = Box::into_raw(Box::new(side));
            0
        }
        Err(_) => FAILED,
    }
}

/// # Safety
/// side is from bench_iceoryx2_open(), and not used any more.
#[no_mangle]
pub unsafe extern "C" fn bench_iceoryx2_close(side: *mut Side) {
    drop(Box::from_raw(side));
}

/// # Safety
/// side is a publisher's.
#[no_mangle]
pub unsafe extern "C" fn bench_iceoryx2_loan(
    side: *mut Side,
    size: usize,
    ret: *mut *mut c_void,
) -> c_int {
    let side = &mut *side;
    let Some(publisher) = &side.publisher else {
        return FAILED;
    };
    match publisher.loan_slice_uninit(size) {
        Ok(mut sample) => {
            *ret = sample.payload_mut().as_mut_ptr().cast();
            side.loaned = Some(sample);
            0
        }
        Err(_) => FAILED,
    }
}

/// # Safety
/// side is a publisher's, and what it was loaned has been filled.
#[no_mangle]
pub unsafe extern "C" fn bench_iceoryx2_publish(side: *mut Side) -> c_int {
    let side = &mut *side;
    let Some(sample) = side.loaned.take() else {
        return FAILED;
    };
    // To how many it has been delivered: 0 is a loss.
    if !matches!(sample.assume_init().send(), Ok(1)) {
        return FAILED;
    }
    match &side.notifier {
        Some(notifier) if notifier.notify().is_err() => FAILED,
        _ => 0,
    }
}

fn take(side: &mut Side) -> Fallible<*const c_void> {
    let subscriber = side.subscriber.as_ref().ok_or("no subscriber")?;
    loop {
        if let Some(sample) = subscriber.receive()? {
            let at = sample.payload().as_ptr();
            side.taken = Some(sample);
            return Ok(at.cast());
        }
        match &side.listener {
            Some(listener) => {
                listener.blocking_wait(|_| {})?;
            }
            None => core::hint::spin_loop(),
        }
    }
}

/// # Safety
/// side is a subscriber's.
#[no_mangle]
pub unsafe extern "C" fn bench_iceoryx2_take(side: *mut Side, ret: *mut *const c_void) -> c_int {
    match take(&mut *side) {
        Ok(at) => {
            *ret = at;
            0
        }
        Err(_) => FAILED,
    }
}

/// # Safety
/// side is a subscriber's.
#[no_mangle]
pub unsafe extern "C" fn bench_iceoryx2_give_back(side: *mut Side) {
    (*side).taken = None;
}

/// Meets those who have come since it was opened.
///
/// # Safety
/// side is from bench_iceoryx2_open().
#[no_mangle]
pub unsafe extern "C" fn bench_iceoryx2_meet(side: *mut Side) -> c_int {
    let side = &*side;
    let met = match (&side.publisher, &side.subscriber) {
        (Some(publisher), _) => publisher.update_connections().is_ok(),
        (_, Some(subscriber)) => subscriber.update_connections().is_ok(),
        _ => false,
    };
    if met {
        0
    } else {
        FAILED
    }
}
