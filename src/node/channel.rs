//! What Rust tells JavaScript: few and small things, through one function.

use std::{
    sync::{Arc, PoisonError, RwLock},
    task::{Wake, Waker},
};

use napi::{
    Status,
    bindgen_prelude::{FnArgs, Function, ToNapiValue},
    threadsafe_function::{
        ThreadsafeFunction, ThreadsafeFunctionCallMode::NonBlocking, UnknownReturnValue,
    },
};

/// What the function of `lib/` is called with: the number of a signal (0 for none) and an event.
pub(super) type Call<E> = FnArgs<(u32, Option<E>)>;

/// A function of `lib/` that takes signals and events.
pub(super) type Listener<'env, E> = Function<'env, Call<E>, UnknownReturnValue>;

type Deliver<E> = Box<dyn Fn(Call<E>) + Send + Sync>;

/// Calls one JavaScript function from any thread, in order, until it is closed.
pub(super) struct Channel<E> {
    deliver: RwLock<Option<Deliver<E>>>,
}

impl<E: ToNapiValue + 'static> Channel<E> {
    /// A channel that keeps the process alive until it is closed.
    pub(super) fn holding(listener: Listener<'_, E>) -> napi::Result<Arc<Self>> {
        Self::new::<false>(listener)
    }

    /// A channel that does not keep the process alive.
    pub(super) fn weak(listener: Listener<'_, E>) -> napi::Result<Arc<Self>> {
        Self::new::<true>(listener)
    }

    fn new<const WEAK: bool>(listener: Listener<'_, E>) -> napi::Result<Arc<Self>> {
        type Threadsafe<E, const WEAK: bool> =
            ThreadsafeFunction<Call<E>, UnknownReturnValue, Call<E>, Status, false, WEAK>;
        let function: Threadsafe<E, WEAK> =
            listener.build_threadsafe_function().weak::<WEAK>().build()?;
        let deliver: Deliver<E> = Box::new(move |call| {
            // The only failure is an environment that ends, where nobody listens any more.
            let _ = function.call(call, NonBlocking);
        });
        Ok(Arc::new(Self { deliver: RwLock::new(Some(deliver)) }))
    }

    /// Tells of an event.
    pub(super) fn send(&self, event: E) {
        self.call((0, Some(event)).into());
    }

    /// Delivers what was sent, and nothing after that; lets go of the function and the process.
    pub(super) fn close(&self) {
        let deliver = self.deliver.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(deliver);
    }

    /// A waker that sends the signal `number`.
    pub(super) fn signal(self: &Arc<Self>, number: u32) -> Waker {
        Waker::from(Arc::new(Signal { channel: Arc::clone(self), number }))
    }

    fn call(&self, call: Call<E>) {
        let deliver = self.deliver.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(deliver) = deliver.as_ref() {
            deliver(call);
        }
    }
}

struct Signal<E> {
    channel: Arc<Channel<E>>,
    number: u32,
}

impl<E: ToNapiValue + 'static> Wake for Signal<E> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.channel.call((self.number, None).into());
    }
}
