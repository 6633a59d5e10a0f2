import { MARKER } from './marker.ts'

export interface ShimSettings {
  project: string
  /** `/preview/{id}` */
  prefix: string
  /** Give what an opaque origin has not: storage, cookies, workers. */
  storage: boolean
  /** Show the app its paths without the prefix, as routers without a basename expect. */
  router: boolean
}

/**
 * The client script of path mode, put in front of everything that a page loads.
 *
 * Router: the address is changed to the path without its prefix before the app reads it, with a marker in the query
 * for the server to find the way back on a reload (the Navigation API does not exist in opaque origins). What the
 * page asks for at a path of the root is asked for below the prefix.
 */
export function shimScript(settings: ShimSettings): string {
  // The settings are ids and paths of a known alphabet; `<` is escaped all the same, as in any JSON inside HTML.
  const json = JSON.stringify(settings).replace(/</g, '\\u003c')
  return `<script>(${SHIM})(${json},${JSON.stringify(MARKER)})</script>`
}

const SHIM = `function(settings,marker){
'use strict'
const prefix=settings.prefix,define=(target,name,value)=>{try{Object.defineProperty(target,name,{value,configurable:true,writable:true})}catch{}}
if(settings.storage){
  const memory=()=>{
    const items=new Map()
    const api={getItem:key=>items.has(String(key))?items.get(String(key)):null,setItem(key,value){items.set(String(key),String(value))},removeItem(key){items.delete(String(key))},clear(){items.clear()},key:index=>[...items.keys()][index]??null}
    return new Proxy(api,{
      get:(target,key)=>key==='length'?items.size:typeof key!=='string'||key in target?Reflect.get(target,key):items.get(key),
      set:(target,key,value)=>{items.set(String(key),String(value));return true},
      has:(target,key)=>key in target||items.has(key),
      deleteProperty:(target,key)=>{items.delete(key);return true},
      ownKeys:()=>[...items.keys()],
      getOwnPropertyDescriptor:(target,key)=>items.has(key)?{value:items.get(key),enumerable:true,configurable:true,writable:true}:undefined
    })
  }
  define(window,'localStorage',memory())
  define(window,'sessionStorage',memory())
  for(const name of ['indexedDB','caches','cookieStore'])define(window,name,undefined)
  define(navigator,'locks',undefined)
  const denied=()=>Promise.reject(new DOMException('There is no storage at this address.','SecurityError'))
  define(navigator,'serviceWorker',Object.assign(new EventTarget(),{controller:null,ready:new Promise(()=>{}),register:denied,getRegistration:()=>Promise.resolve(undefined),getRegistrations:()=>Promise.resolve([]),startMessages(){}}))
  const cookies=new Map()
  Object.defineProperty(document,'cookie',{configurable:true,get:()=>[...cookies].map(pair=>pair.join('=')).join('; '),set(text){
    const [pair,...rest]=String(text).split(';'),at=pair.indexOf('='),name=pair.slice(0,at).trim()
    const age=rest.map(part=>part.trim().toLowerCase()).find(part=>/^(max-age|expires)=/.test(part))
    const over=age&&(age.startsWith('max-age=')?Number(age.slice(8))<=0:Date.parse(age.slice(8))<=Date.now())
    over?cookies.delete(name):cookies.set(name,pair.slice(at+1).trim())
  }})
  const Native=window.Worker
  if(Native)define(window,'Worker',class extends Native{
    constructor(url,options){
      const at=JSON.stringify(below(String(new URL(url,document.baseURI))))
      if(/^"(blob|data):/.test(at)){super(url,options);return}
      super(URL.createObjectURL(new Blob([options?.type==='module'?'import '+at:'importScripts('+at+')'],{type:'text/javascript'})),options)
    }
  })
}
const inside=path=>path===prefix||path.startsWith(prefix+'/')
const here=url=>url.protocol===location.protocol&&url.host===location.host
function below(value){
  if(typeof value!=='string'&&!(value instanceof URL))return value
  const text=String(value)
  if(!/^\\/(?!\\/)/.test(text)&&!text.startsWith(location.protocol+'//'+location.host+'/')){
    if(!settings.router||/^[a-z][a-z0-9+.-]*:|^\\/\\/|^#|^$/i.test(text))return value
  }
  let url
  try{url=new URL(text,document.baseURI)}catch{return value}
  if(!here(url)||inside(url.pathname))return value
  return url.protocol+'//'+url.host+prefix+url.pathname+url.search+url.hash
}
const belowAll=list=>String(list).replace(/(^|,\\s*)(\\/(?!\\/)[^\\s,]*)/g,(all,comma,url)=>comma+below(url))
const nativeSet=Element.prototype.setAttribute,nativeFetch=window.fetch
// A sprite of symbols has to be of the page's own origin, which only a blob can be.
let mendUse
if(settings.storage){
  const sprites=new Map()
  mendUse=(use,value)=>{
    if(!value||/^(#|blob:|data:)/.test(value))return false
    const [file,id]=String(below(String(new URL(value,document.baseURI)))).split('#')
    if(!sprites.has(file))sprites.set(file,nativeFetch(file).then(answer=>answer.blob()).then(blob=>URL.createObjectURL(blob)))
    sprites.get(file).then(url=>nativeSet.call(use,'href',url+'#'+id),()=>{})
    return true
  }
  const mend=root=>{for(const use of root.querySelectorAll?.('use')??[])mendUse(use,use.getAttribute('data-sprite')??use.getAttribute('href')??use.getAttribute('xlink:href'))}
  const observe=root=>new MutationObserver(changes=>{for(const change of changes)for(const node of change.addedNodes){mend(node);if(node instanceof SVGUseElement)mend(node.parentNode??node)}}).observe(root,{childList:true,subtree:true})
  observe(document)
  const attach=Element.prototype.attachShadow
  Element.prototype.attachShadow=function(options){const root=attach.call(this,options);observe(root);return root}
}
Element.prototype.setAttribute=function(name,value){
  const key=String(name).toLowerCase()
  if(mendUse&&key==='href'&&this instanceof SVGUseElement&&mendUse(this,String(value)))return
  const isLink=this instanceof HTMLAnchorElement||this instanceof HTMLAreaElement
  if(key==='src'||key==='poster'||(key==='href'&&!isLink))value=below(value)
  else if(key==='srcset')value=belowAll(value)
  return nativeSet.call(this,name,value)
}
for(const [type,name] of [['HTMLImageElement','src'],['HTMLImageElement','srcset'],['HTMLScriptElement','src'],['HTMLLinkElement','href'],['HTMLMediaElement','src'],['HTMLSourceElement','src'],['HTMLVideoElement','poster'],['HTMLIFrameElement','src']]){
  const proto=window[type]?.prototype,found=proto&&Object.getOwnPropertyDescriptor(proto,name)
  if(found?.set)Object.defineProperty(proto,name,{...found,set(value){found.set.call(this,name==='srcset'?belowAll(value):below(value))}})
}
const belowIn=html=>{
  const text=(html===null?'':String(html)).replace(/(\\s(?:src|poster)\\s*=\\s*["']?)(\\/(?!\\/)[^"'\\s>]*)/gi,(all,attribute,url)=>attribute+below(url))
  return mendUse?text.replace(/(<use\\s[^>]*?)(?:xlink:)?href(\\s*=\\s*["']?[^"'#\\s>])/gi,'$1data-sprite$2'):text
}
for(const {prototype} of [Element,ShadowRoot]){
  const inner=Object.getOwnPropertyDescriptor(prototype,'innerHTML')
  if(inner)Object.defineProperty(prototype,'innerHTML',{...inner,set(html){inner.set.call(this,belowIn(html))}})
}
const nativeInsert=Element.prototype.insertAdjacentHTML
Element.prototype.insertAdjacentHTML=function(place,html){return nativeInsert.call(this,place,belowIn(html))}
window.fetch=(input,init)=>nativeFetch(input instanceof Request?input:below(input),init)
const nativeOpen=XMLHttpRequest.prototype.open
XMLHttpRequest.prototype.open=function(method,url,...rest){return nativeOpen.call(this,method,below(url),...rest)}
if(!settings.router)return
function shown(value){
  const url=new URL(value,document.baseURI)
  if(!here(url))return value
  const path=inside(url.pathname)?url.pathname.slice(prefix.length)||'/':url.pathname
  const rest=url.search.slice(1).split('&').filter(pair=>pair&&!pair.startsWith(marker+'='))
  return path+'?'+[...rest,marker+'='+settings.project].join('&')+url.hash
}
for(const name of ['pushState','replaceState']){
  const native=History.prototype[name]
  History.prototype[name]=function(state,title,url){return native.call(this,state,title,url===undefined||url===null?url:shown(url))}
}
history.replaceState(history.state,'',location.href)
addEventListener('click',event=>{
  const link=event.composedPath().find(node=>node instanceof HTMLAnchorElement)
  if(event.defaultPrevented||!link?.hasAttribute('href')||link.getAttribute('href').startsWith('#'))return
  const url=new URL(link.href)
  if(!here(url)||inside(url.pathname))return
  event.preventDefault()
  const to=prefix+url.pathname+url.search+url.hash
  if(event.button||event.ctrlKey||event.metaKey||event.shiftKey||(link.target&&link.target!=='_self'))open(to,link.target||'_blank')
  else location.assign(to)
})
const nativeWindowOpen=window.open
window.open=(url,...rest)=>nativeWindowOpen.call(window,url===undefined?url:below(url),...rest)
}`
